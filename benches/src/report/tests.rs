use super::*;
use crate::jsonl;

/// A run with two processes of each program, so that medians differ from both.
const RECORDS: &str = r#"
{"kind":"run","date":"2026-01-02T03:04:05Z","cpu":"A CPU","cores":2,"simd":"Avx512","commit":"abc","rustc":"rustc 1.95.0","command":"cargo xtask bench","rounds":2,"load":0.04}
{"kind":"step","program":"rftm","case":"fc_ae","mode":"train","threads":1,"n":30,"median_ms":9.0,"min_ms":8.9,"peak_mib":30.0,"forward_ms":3.0,"backward_ms":5.5,"update_ms":0.5,"gflop":1.5,"gemm_peak":200.0}
{"kind":"step","program":"torch","case":"fc_ae","mode":"train","threads":1,"n":30,"median_ms":20.0,"min_ms":19.0,"peak_mib":700.0,"note":"PyTorch 2.15.0"}
{"kind":"step","program":"torch-compiled","case":"fc_ae","mode":"train","threads":1,"n":30,"median_ms":15.0,"min_ms":14.0,"peak_mib":900.0,"note":"PyTorch 2.15.0"}
{"kind":"step","program":"burn","case":"fc_ae","mode":"train","threads":1,"n":10,"median_ms":40.0,"min_ms":39.0,"peak_mib":40.0,"note":"burn 0.22 with flex"}
{"kind":"step","program":"rftm","case":"fc_ae","mode":"train","threads":1,"n":30,"median_ms":11.0,"min_ms":8.8,"peak_mib":32.0,"forward_ms":4.0,"backward_ms":6.5,"update_ms":0.7,"gflop":1.5,"gemm_peak":200.0}
{"kind":"step","program":"rftm","case":"fc_ae","mode":"score1","threads":1,"n":30,"median_ms":0.5,"min_ms":0.4,"weights_mib":4.0}
{"kind":"bandwidth","gb_per_s":20.0}
{"kind":"op","case":"fc_ae","index":0,"op":"Linear 784 to 512","threads":1,"forward_ms":2.0,"backward_ms":2.0,"gflop":0.6}
{"kind":"op","case":"fc_ae","index":1,"op":"MSE","threads":1,"forward_ms":0.5,"backward_ms":0.25,"gflop":0.0}
{"kind":"gemm","shape":"8 x 8 x 8 nn","rftm":100.0,"matrixmultiply":50.0,"gemm":80.0}
{"kind":"jobs","case":"fc_ae","jobs":1,"wall_ms":10.0}
{"kind":"jobs","case":"fc_ae","jobs":2,"wall_ms":11.0}
{"kind":"curve","curve":"batch","what":"scoring","at":1.0,"threads":1,"median_ms":0.125}
{"kind":"curve","curve":"batch","what":"step","at":2.0,"threads":1,"median_ms":0.5}
{"kind":"curve","curve":"batch","what":"scoring","at":2.0,"threads":1,"median_ms":0.25}
{"kind":"missing","program":"candle","reason":"it could not be built"}
"#;

const EXPECTED: &str = include_str!("expected.md");

#[test]
fn the_document_of_fixed_records() {
    let text = render(&jsonl::parse_all(RECORDS).unwrap()).unwrap();
    assert_eq!(text, EXPECTED, "what was made:\n{text}");
}

#[test]
fn prose_outside_the_markers_stays() {
    let records = jsonl::parse_all(RECORDS).unwrap();
    let made =
        splice(Some("# Title\n\nBefore.\n\n<!-- measured -->\nold\n<!-- end -->\n\nAfter.\n"), &records).unwrap();
    assert!(made.starts_with("# Title\n\nBefore.\n\n<!-- measured -->\n\n2026-01-02") && !made.contains("old"));
    assert!(made.ends_with("\n<!-- end -->\n\nAfter.\n"));
    assert_eq!(splice(Some(&made), &records).unwrap(), made, "again changes nothing");
    let new = splice(None, &records).unwrap();
    assert_eq!(splice(Some(&new), &records).unwrap(), new);
    for broken in ["", "<!-- measured -->", "<!-- end -->\n<!-- measured -->"] {
        assert!(splice(Some(broken), &records).is_err(), "{broken:?}");
    }
}

#[test]
fn without_records_there_are_no_tables() {
    assert_eq!(render(&[]).unwrap(), "");
}
