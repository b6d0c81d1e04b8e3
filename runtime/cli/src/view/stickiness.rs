//! The answer to `stick` and `unstick`.

use segue::Stickiness;

use crate::text::clean;

pub(crate) fn render(stickiness: &Stickiness) -> String {
    let module = clean(&stickiness.module);
    match (stickiness.sticky, stickiness.changed) {
        (true, true) => format!("{module} is sticky now: loads and deletes are refused\n"),
        (true, false) => format!("{module} is already sticky; nothing changed\n"),
        (false, true) => format!("{module} is no longer sticky: it may be replaced\n"),
        (false, false) => format!("{module} is not sticky; nothing changed\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_whether_anything_changed() {
        let module = "greeter".to_owned();
        let sticky = Stickiness { module, sticky: true, changed: true };
        assert_eq!(render(&sticky), "greeter is sticky now: loads and deletes are refused\n");
        let already = Stickiness { changed: false, ..sticky.clone() };
        assert_eq!(render(&already), "greeter is already sticky; nothing changed\n");
        let cleared = Stickiness { sticky: false, ..sticky };
        assert_eq!(render(&cleared), "greeter is no longer sticky: it may be replaced\n");
    }
}
