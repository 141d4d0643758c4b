//! Pages in a real browser: Chromium, as `METAXY_CHROMIUM` names it or as it is on the path. `cargo xtask pages` runs them.

use std::fs;
use std::process::Command;

use metaxy_testkit::{TempDir, deps};

use crate::run::{metaxy, run};

/// What a page is asked: its colours, and which labels do not fit into their boxes or have no size at all. The answer is
/// written into the page, since nothing else comes out of a browser without a window.
const ASK: &str = "<script>
    const boxes = [...document.querySelectorAll('svg.features g > rect')].map(box => [box, box.getBBox()]);
    const outside = boxes.flatMap(([box, { x, y, width, height }]) =>
        [...box.parentNode.querySelectorAll('text')].filter(text => {
            const label = text.getBBox();
            return !(label.width > 0 && label.x >= x && label.x + label.width <= x + width
                     && label.y >= y && label.y + label.height <= y + height);
        }).map(text => text.textContent));
    const loaded = performance.getEntriesByType('resource').map(resource => resource.name);
    const style = getComputedStyle(document.body);
    document.body.insertAdjacentText('beforeend', 'answer: ' + JSON.stringify({
        boxes: boxes.length, outside, loaded, background: style.backgroundColor, color: style.color,
        is_wide: document.documentElement.scrollWidth > innerWidth,
    }) + ' end');
</script>";

/// The page as the browser has it after it has run, and what it says of errors.
fn shown(folder: &TempDir, page: &str, is_dark: bool) -> (serde_json::Value, String) {
    let program = std::env::var("METAXY_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let profile = folder.join("profile");
    let output = Command::new(&program)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--dump-dom"])
        // The page is to need nothing from elsewhere.
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1200,900"])
        .arg(["--blink-settings=preferredColorScheme=", if is_dark { "0" } else { "1" }].concat())
        .arg(["--user-data-dir=", &profile].concat())
        .arg(["file://", &folder.join(page)].concat())
        .output()
        .unwrap_or_else(|error| panic!("`{program}` is needed, or METAXY_CHROMIUM names it: {error}"));
    let (page, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let errors: Vec<&str> = said.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let answer = page.rsplit_once("answer: ").and_then(|(_, rest)| rest.split_once(" end"));
    let (answer, _) = answer.unwrap_or_else(|| panic!("no answer: {page}\n{said}"));
    let answer = answer.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&");
    (serde_json::from_str(&answer).expect("JSON"), page.into_owned())
}

#[test]
#[ignore = "needs Chromium, which no package registry of the tests has"]
fn the_page_of_a_status_and_the_drawing_of_a_graph_are_shown_as_meant() {
    let folder = TempDir::new();
    let metaxy =
        |words: &[&str]| run(metaxy(&folder, words).env("METAXY_EXTENSION_DIRECTORY", deps().extensions()), "").done();
    metaxy(&["init", "--example"]);
    let provenance = "column=audio:audio_sum,frames:frames_sum";
    metaxy(&["metadata", "write", "video/raw", "videos.csv", "--provenance", provenance]);
    metaxy(&["push"]);
    let title = "<b>Films</b> & \"faces\"";
    for (file, words) in [
        ("report.html", &["metadata", "status", "--all-features", "--format", "html"][..]),
        ("graph.svg", &["graph", "render", "--format", "svg", "--title", title, "--show-code-versions"]),
        ("right.svg", &["graph", "render", "--format", "svg", "--direction", "LR"]),
    ] {
        let drawn = metaxy(words);
        // A drawing stands in a page as it is; the page of a status runs no scripts.
        let drawn = drawn.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'");
        fs::write(folder.join(&[file, ".html"].concat()), [&drawn, ASK].concat()).expect("a page");
        let [light, dark] = [false, true].map(|is_dark| shown(&folder, &[file, ".html"].concat(), is_dark));
        for (answer, page) in [&light, &dark] {
            assert_eq!(answer["boxes"], 3, "{file}: {answer}");
            for nothing in ["outside", "loaded"] {
                assert_eq!(answer[nothing], serde_json::json!([]), "{file}: {answer}");
            }
            assert_eq!(answer["is_wide"], false, "{file}: {answer}");
            assert!(page.contains("video/transcript"), "{file}");
        }
        if file == "report.html" {
            assert_ne!(light.0["background"], dark.0["background"], "{file}");
            assert_ne!(light.0["color"], dark.0["color"], "{file}");
        }
        assert!(file != "graph.svg" || light.1.contains("&lt;b&gt;Films&lt;/b&gt; &amp; \"faces\""), "{}", light.1);
    }
}
