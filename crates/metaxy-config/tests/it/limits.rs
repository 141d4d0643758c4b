//! What a configuration cannot make this crate do: work without end, or write without end.

use std::fmt::Write as _;

use metaxy_config::{Config, LoadOptions, MemorySystem, Style};

#[test]
fn of_many_diagnostics_the_first_are_shown() {
    let keys = (0..3000).fold(String::new(), |mut text, key| {
        let _ = writeln!(text, "k{key} = 1");
        text
    });
    let system = MemorySystem::new().file("/project/metaxy.toml", keys);
    let error = Config::load(&system, &LoadOptions::default()).expect_err("no key is known");
    assert_eq!(error.diagnostics().iter().count(), 3000);
    let text = error.diagnostics().render(Style::Plain);
    assert_eq!(text.matches("error[unknown-key]").count(), 100);
    assert!(text.ends_with("\nand 2900 more\n"), "{}", &text[text.len() - 100..]);
    let json = error.diagnostics().to_json();
    assert_eq!(json["diagnostics"].as_array().map(Vec::len), Some(1000));
    assert_eq!(json["left_out"], 2000);
}

#[test]
fn a_long_line_is_named_and_not_shown() {
    let long = ["k = [", &"1, ".repeat(30_000), "1]"].concat();
    let system = MemorySystem::new().file("/project/metaxy.toml", long);
    let error = Config::load(&system, &LoadOptions::default()).expect_err("no key is known");
    let text = error.diagnostics().render(Style::Plain);
    assert!(text.contains("metaxy.toml:1:1") && text.len() < 500, "{} bytes", text.len());
}

#[test]
fn a_pattern_leads_to_so_many_files_and_no_more() {
    let mut system =
        MemorySystem::new().file("/project/metaxy.toml", "project = 'p'\next.rust.features = ['f/*.toml']");
    for file in 0..=100_000 {
        system = system.file(format!("/project/f/{file}.toml"), "");
    }
    let error = Config::load(&system, &LoadOptions::default()).expect_err("there are too many");
    assert!(error.to_string().contains("it leads to too many files and folders"), "{error}");
}
