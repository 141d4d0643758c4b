//! How the program ends: the only place that knows its exit codes.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: all that was asked for was done. A reader of the output that left early (a broken pipe) is no failure.
    Done,
    /// 1: problems were found, or something failed.
    Failed,
    /// 2: the command line itself is wrong.
    Usage,
    /// 2: `metaxy plan` found something to do.
    Changes,
    /// 130 or 143: a signal ended the program, SIGINT (Ctrl-C) or SIGTERM. What was not stored is undone.
    Interrupted(u8),
}

impl Exit {
    /// The codes as `--help` tells them.
    pub(crate) const HELP: &'static str = "\
Exit codes:
  0  done
  1  problems found, or failed
  2  wrong usage; of `metaxy plan`: there is something to do
  130, 143  interrupted (Ctrl-C, SIGTERM); what was not stored is undone";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage | Exit::Changes => 2,
            Exit::Interrupted(code) => code,
        })
    }
}
