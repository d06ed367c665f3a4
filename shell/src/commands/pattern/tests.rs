//! Patterns against lines, and a naive matcher beside the real one.

use super::syntax::Malformed;
use super::{Case, Pattern, Syntax};
use std::string::String;
use std::vec::Vec;

fn found(pattern: &str, syntax: Syntax, line: &[u8]) -> bool {
    Pattern::new(pattern, syntax, Case::Exact).unwrap().matches(line, || Ok(())).unwrap()
}

/// Whether the basic pattern is found.
fn matches(pattern: &str, line: &str) -> bool {
    found(pattern, Syntax::Basic, line.as_bytes())
}

/// Whether the extended pattern is found.
fn extended(pattern: &str, line: &str) -> bool {
    found(pattern, Syntax::Extended, line.as_bytes())
}

fn reason(pattern: &str, syntax: Syntax) -> Option<Malformed> {
    Pattern::new(pattern, syntax, Case::Exact).err()
}

#[test]
fn plain_text_matches_anywhere() {
    assert!(matches("b", "abc") && matches("", "") && matches("bc", "abc"));
    assert!(!matches("ac", "abc"));
}

#[test]
fn anchors_bind_to_the_ends() {
    assert!(matches("^a", "abc") && matches("c$", "abc") && matches("^$", ""));
    assert!(!matches("^b", "abc") && !matches("b$", "abc") && !matches("^$", "x"));
    assert!(matches("a$b", "a$b") && matches("a^b", "a^b") && matches("^*", "*") && matches("*a", "*a"));
    assert!(matches(r"\(^a\|b$\)", "xb") && !matches(r"\(^a\|b$\)", "xab "));
    assert!(!extended("a$b", "a$b") && extended("(^|x)a", "xa") && extended("a($|x)", "a"));
}

#[test]
fn stars_repeat_and_give_back() {
    assert!(matches("ab*c", "ac") && matches("ab*c", "abbbc") && matches("a.*c", "abcbc"));
    assert!(matches("^.*b$", "abab") && !matches("ab*c", "adc"));
    assert!(extended("^a+b?$", "aa") && extended("^a+b?$", "ab") && !extended("^a+b?$", "b"));
    assert!(matches(r"^a\+b\?$", "aab") && !matches(r"^a\+b\?$", "abb") && matches("a+", "a+"));
    assert!(extended("^(a*)*$", "aaa") && extended("^(a*)+b$", "b") && extended("^(a|b)*?$", "abba"));
}

#[test]
fn groups_and_alternatives_nest() {
    assert!(extended("^(ab|cd(e|f))+$", "abcdfcde") && !extended("^(ab|cd(e|f))+$", "abcd"));
    assert!(extended("^(a|b|c|d)e$", "de") && extended("^(|a)b$", "b") && extended("^()b$", "b"));
    assert!(extended("ab|cd|", "x") && extended("one|two", "two") && !extended("one|two", "three"));
    assert!(matches(r"^\(ab\)*c$", "ababc"));
    assert!(extended(&["(".repeat(16), ")".repeat(16)].concat(), ""));
}

#[test]
fn intervals_count() {
    for (least, most) in [(0, 0), (0, 1), (1, 1), (2, 4), (3, 3), (0, 3)] {
        for count in 0..6 {
            let line = ["ab".repeat(count), String::from("$")].concat();
            let pattern = std::format!("^(ab){{{least},{most}}}\\$");
            assert_eq!(extended(&pattern, &line), (least..=most).contains(&count), "{pattern} {line}");
            let open = std::format!("^(ab){{{least},}}\\$");
            assert_eq!(extended(&open, &line), count >= least, "{open} {line}");
        }
    }
    assert!(matches(r"^a\{2\}$", "aa") && !matches(r"^a\{2\}$", "aaa") && matches(r"^a\{,2\}$", "aa"));
    assert!(extended("^(a{2}){3}$", &"a".repeat(6)) && !extended("^(a{2}){3}$", &"a".repeat(5)));
    assert!(extended("^.{500}$", &"x".repeat(500)) && !extended("^.{500}$", &"x".repeat(501)));
}

#[test]
fn sets_hold_ranges_classes_and_their_opposite() {
    assert!(matches("^[a-c0]*$", "abc0") && !matches("^[a-c]*$", "abd"));
    assert!(matches("[^0-9]", "1a") && !matches("[^0-9]", "12"));
    assert!(matches("[]]", "]") && matches("[a-]", "-") && matches("[^]]", "a") && !matches("[^]]", "]"));
    assert!(matches(r"[\]", r"\") && matches("[.*[]", "[") && !matches("[.*]", "a"));
    assert!(matches("^[[:alpha:]_]*$", "abc_") && !matches("[[:digit:][:space:]]", "abc"));
    assert!(extended("^[^[:upper:]]+$", "abc") && !extended("^[^[:upper:]]+$", "aBc"));
}

#[test]
fn a_backslash_makes_plain_or_names_a_place_or_class() {
    assert!(matches(r"a\.b", "a.b") && !matches(r"a\.b", "axb") && matches(r"\*", "*"));
    assert!(extended(r"\(\|\)", "(|)") && matches("(|)", "(|)") && matches("a{2}", "a{2}"));
    assert!(matches(r"\<one\>", "two one") && !matches(r"\<one\>", "twoone") && matches(r"\bone", "(one"));
    assert!(matches(r"o\Bne", "one") && matches(r"^\w*\W\s\S$", "a1_- x"));
}

#[test]
fn case_can_be_ignored() {
    let pattern = Pattern::new("ä[b-c]", Syntax::Basic, Case::Ignored).unwrap();
    let found = |line: &str| pattern.matches(line.as_bytes(), || Ok(())).unwrap();
    assert!(found("ÄC") && found("äb") && !found("AD"));
}

#[test]
fn characters_of_several_bytes_are_one_and_stray_bytes_too() {
    assert!(matches("^.$", "ä") && matches("^[ä-ü]$", "ö") && !matches("^[^ä]$", "ä"));
    assert!(found("^..$", Syntax::Basic, b"\xffa") && found("^[^a]$", Syntax::Basic, b"\x80"));
    assert!(!found("[a-z]", Syntax::Basic, b"\x80\xc3"));
}

#[test]
fn fixed_patterns_have_no_operators() {
    assert!(found("a*[", Syntax::Fixed, b"xa*[x") && !found("a*[", Syntax::Fixed, b"aa["));
}

#[test]
fn malformed_patterns_are_refused_by_what_is_wrong() {
    use Malformed as M;
    let basic = [
        ("[a", M::OpenSet),
        ("[", M::OpenSet),
        ("[^", M::OpenSet),
        ("[]", M::OpenSet),
        ("[a-", M::OpenSet),
        ("[[:alpha:", M::OpenSet),
        ("[:alpha:]", M::LoneClass),
        ("[[:nosuch:]]", M::UnknownClass),
        ("[[::]]", M::UnknownClass),
        ("[z-a]", M::EmptyRange),
        ("[[.a.]]", M::Collation),
        ("[[=a=]]", M::Collation),
        ("a\\", M::Backslash),
        (r"\d", M::Escape),
        (r"\(a\)\1", M::BackReference),
        (r"\(a", M::OpenGroup),
        (r"a\)", M::LoneClose),
        (r"\+", M::NothingToRepeat),
        (r"a\{2", M::Interval),
        (r"a\{3,2\}", M::Interval),
        (r"a\{x\}", M::Interval),
        (r"a\{\}", M::Interval),
    ];
    for (pattern, why) in basic {
        assert_eq!(reason(pattern, Syntax::Basic), Some(why), "{pattern}");
    }
    let too_deep = ["(".repeat(17), ")".repeat(17)].concat();
    let costly = std::format!("[{}]{{900}}", "a".repeat(900));
    let too_long = [too_deep.as_str(), "(((a{100}){100}){100})", "(){99999999}", "a{99999999999999999999}", &costly];
    let whys = [M::TooDeep, M::TooLong, M::TooLong, M::TooLong, M::TooLong];
    for (pattern, why) in too_long.into_iter().zip(whys) {
        assert_eq!(reason(pattern, Syntax::Extended), Some(why), "{pattern}");
    }
    for (pattern, why) in [("*a", M::NothingToRepeat), ("a|*", M::NothingToRepeat), ("a)", M::LoneClose)] {
        assert_eq!(reason(pattern, Syntax::Extended), Some(why), "{pattern}");
    }
    assert_eq!(reason(&"a".repeat(1024), Syntax::Fixed), Some(M::TooLong));
}

/// All ends of matches of the extended `pattern` that start at `from`: by trying everything. `pattern` has letters,
/// groups, `|` and `*`.
fn naive(pattern: &[u8], line: &[u8], from: usize) -> Vec<usize> {
    let mut depth = 0;
    let bar = pattern.iter().position(|byte| {
        depth += i32::from(*byte == b'(') - i32::from(*byte == b')');
        depth == 0 && *byte == b'|'
    });
    if let Some(bar) = bar {
        return [naive(&pattern[..bar], line, from), naive(&pattern[bar + 1..], line, from)].concat();
    }
    let Some(&first) = pattern.first() else { return std::vec![from] };
    let mut len = 1;
    if first == b'(' {
        let mut depth = 1;
        while depth > 0 {
            depth += i32::from(pattern[len] == b'(') - i32::from(pattern[len] == b')');
            len += 1;
        }
    }
    let once = |at: usize| match first {
        b'(' => naive(&pattern[1..len - 1], line, at),
        letter => {
            if line.get(at) == Some(&letter) {
                std::vec![at + 1]
            } else {
                Vec::new()
            }
        }
    };
    let starred = pattern.get(len) == Some(&b'*');
    let mut ends = if starred { std::vec![from] } else { once(from) };
    let mut done = 0;
    while starred && done < ends.len() {
        for end in once(ends[done]) {
            if !ends.contains(&end) {
                ends.push(end);
            }
        }
        done += 1;
    }
    let mut all: Vec<usize> =
        ends.iter().flat_map(|end| naive(&pattern[len + usize::from(starred)..], line, *end)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A random extended pattern.
fn random(dice: &mut impl FnMut(u32) -> u32, depth: u32) -> String {
    let mut pattern = String::new();
    for _ in 0..=dice(3) {
        match dice(6) {
            0 if depth > 0 => pattern.push_str(&std::format!("({})", random(dice, depth - 1))),
            1 if depth > 0 => {
                pattern.push_str(&std::format!("({}|{})", random(dice, depth - 1), random(dice, depth - 1)))
            }
            letter => pattern.push(if letter % 2 == 0 { 'a' } else { 'b' }),
        }
        if dice(3) == 0 {
            pattern.push('*');
        }
    }
    pattern
}

#[test]
fn random_patterns_match_as_by_trying_everything() {
    let mut state = 0x5eed_u32;
    let mut dice = |sides: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % sides
    };
    for round in 0..1000 {
        let pattern = random(&mut dice, 3);
        let line: Vec<u8> = (0..dice(8)).map(|_| b'a' + dice(2) as u8).collect();
        let expected = (0..=line.len()).any(|from| !naive(pattern.as_bytes(), &line, from).is_empty());
        assert_eq!(found(&pattern, Syntax::Extended, &line), expected, "round {round}: {pattern} {line:?}");
        let whole = naive(pattern.as_bytes(), &line, 0).contains(&line.len());
        let anchored = std::format!("^({pattern})$");
        assert_eq!(found(&anchored, Syntax::Extended, &line), whole, "round {round}: {anchored} {line:?}");
    }
}

#[test]
fn time_grows_with_pattern_times_line() {
    // The steps looked at are counted by how often it asks whether to go on: a stride of the line each time.
    let text = std::format!("^{}b", "a*".repeat(500));
    let pattern = Pattern::new(&text, Syntax::Basic, Case::Exact).unwrap();
    let mut looks = 0;
    let line = "a".repeat(10 * super::STRIDE);
    let look = || {
        looks += 1;
        Ok(())
    };
    assert_eq!(pattern.matches(line.as_bytes(), look), Ok(false));
    assert_eq!(looks, 10);
}
