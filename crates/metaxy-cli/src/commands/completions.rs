//! `metaxy completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;
use clap_complete::Generator as _;

use crate::args::{Args, Completions};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

pub(crate) fn run(args: &Completions, printer: &mut Printer) -> Result<Exit, Error> {
    let mut command = Args::command();
    command.set_bin_name("metaxy");
    command.build();
    args.shell.try_generate(&command, printer)?;
    Ok(Exit::Done)
}
