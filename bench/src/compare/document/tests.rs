//! Only what is between the markers changes.

use super::*;

#[test]
fn only_the_section_between_the_markers_changes() {
    let document = format!("a\n{BEGIN}\nold\n{END}\nz\n");
    let expected = format!("a\n{BEGIN}\nnew\n{END}\nz\n");
    assert_eq!(replaced(&document, "new\n"), Some(expected.clone()));
    assert_eq!(replaced(&expected, "new\n"), Some(expected));
    assert_eq!(replaced("no markers", "new\n"), None);
    assert_eq!(replaced(&format!("{END}{BEGIN}"), "new\n"), None);
}
