//! The committed page in a real browser. Needs Chromium (Debian: `apt-get install chromium`); without it the test says that
//! it was skipped.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Goes into a copy of the page: counts errors, sorts, and leaves what it found in the document.
const PROBE: &str = r#"<script>
const errors = [];
addEventListener("error", event => errors.push(event.message || "a resource did not load"), true);
addEventListener("load", () => {
  const found = { tables: document.querySelectorAll("table.sortable").length };
  found.images = [...document.images].every(image => image.complete && image.naturalWidth > 0);
  const table = document.querySelector("section#table1 table.sortable");
  const head = table.tHead.rows[0].cells;
  const column = [...head].findIndex(cell => cell.textContent.startsWith("ours"));
  const numbers = () => [...table.tBodies[0].rows].filter(row => !row.classList.contains("summary"))
    .map(row => parseFloat(row.cells[column].textContent)).filter(number => !isNaN(number));
  const ordered = sign => numbers().every((number, i, all) => i === 0 || sign * (number - all[i - 1]) >= 0);
  const before = [...table.tBodies[0].rows].map(row => row.textContent).join();
  const click = () => head[column].querySelector("button").click();
  found.before = ordered(1);
  click(); found.up = ordered(1) && head[column].getAttribute("aria-sort") === "ascending";
  click(); found.down = ordered(-1) && head[column].getAttribute("aria-sort") === "descending";
  found.last = table.tBodies[0].rows[table.tBodies[0].rows.length - 1].classList.contains("summary");
  click(); found.back = [...table.tBodies[0].rows].map(row => row.textContent).join() === before;
  found.links = [...document.querySelectorAll("a[href^='#']")].every(a => document.querySelector(a.getAttribute("href")));
  const box = table.parentElement;
  box.scrollLeft = 150;
  const left = box.getBoundingClientRect().left;
  const model = table.tBodies[0].rows[0].cells[1].getBoundingClientRect();
  found.pinned = model.left > left && model.right < left + box.clientWidth;
  const line = document.querySelector("td a[href^='#k']");
  const list = document.getElementById("ledger");
  found.closed = !list.open;
  line.click();
  dispatchEvent(new HashChangeEvent("hashchange"));
  found.open = list.open && document.querySelector(line.getAttribute("href")).closest("details") === list;
  list.open = false;
  found.names = [...document.querySelectorAll("img")].every(image => image.alt.length > 20);
  found.wide = document.documentElement.scrollWidth > innerWidth;
  found.errors = errors;
  const probe = document.createElement("pre");
  probe.textContent = "PROBE " + JSON.stringify(found);
  document.body.append(probe);
});
</script>"#;

fn chromium() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs)
}

#[test]
fn the_page_loads_sorts_and_fits() {
    let Some(browser) = chromium() else {
        eprintln!("skipped: there is no Chromium here, so the page was not looked at");
        return;
    };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results/report.html");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("report.html");
    let text = fs::read_to_string(page).unwrap().replacen("<head>", &format!("<head>{PROBE}"), 1);
    fs::write(&copy, text).unwrap();
    // Desktop and phone.
    for size in ["1280,900", "500,844"] {
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={size}"))
            .args(["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"])
            .arg(format!("file://{}", copy.display()))
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout);
        let probe = dom.split("<pre>PROBE ").nth(1).and_then(|rest| rest.split("</pre>").next());
        let probe = probe
            .unwrap_or_else(|| panic!("{size}: the page did not load: {}", String::from_utf8_lossy(&output.stderr)));
        for expected in [
            r#""images":true"#,
            r#""before":false"#,
            r#""up":true"#,
            r#""down":true"#,
            r#""last":true"#,
            r#""back":true"#,
            r#""links":true"#,
            r#""pinned":true"#,
            r#""closed":true"#,
            r#""open":true"#,
            r#""names":true"#,
            r#""wide":false"#,
            r#""errors":[]"#,
        ] {
            assert!(probe.contains(expected), "{size}: {expected} is not in {probe}");
        }
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!log.contains("CONSOLE"), "{size}: {log}");
    }
}
