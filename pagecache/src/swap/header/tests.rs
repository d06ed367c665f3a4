//! First pages of swap areas: good ones, wrong ones, and any bytes at all.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use mm::PAGE_SIZE;
use mm::testing::Rng;

use super::{BAD_AT, FACTS_AT, Header, HeaderError, MAX_BAD, OLD_SIGNATURE, SIGNATURE, SIGNATURE_AT};

fn put(page: &mut [u8; PAGE_SIZE], at: usize, number: u32) {
    page[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

fn page(version: u32, last: u32, bad: &[u32]) -> Box<[u8; PAGE_SIZE]> {
    let mut page = Box::new([0; PAGE_SIZE]);
    put(&mut page, FACTS_AT, version);
    put(&mut page, FACTS_AT + 4, last);
    put(&mut page, FACTS_AT + 8, bad.len().try_into().expect("few"));
    for (number, &slot) in bad.iter().take(MAX_BAD).enumerate() {
        put(&mut page, BAD_AT + 4 * number, slot);
    }
    page[SIGNATURE_AT..].copy_from_slice(SIGNATURE);
    page
}

#[test]
fn the_page_that_mkswap_writes_is_read() {
    let page = page(1, 255, &[7, 9, 7]);
    let header = Header::parse(&page, 256).expect("a good header");
    assert_eq!(header.slots(), 256);
    assert_eq!(header.bad().collect::<Vec<_>>(), [7, 9, 7]);
    assert_eq!((BAD_AT, MAX_BAD), (1536, 637));
}

#[test]
fn what_is_written_is_read() {
    let mut written = Box::new([0; PAGE_SIZE]);
    assert!(Header::write(&mut written, 256));
    assert_eq!(written, page(1, 255, &[]));
    for pages in [0, 1, 1 << 33] {
        assert!(!Header::write(&mut Box::new([0; PAGE_SIZE]), pages), "{pages}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let check = |page: &[u8; PAGE_SIZE], error: HeaderError| {
        assert_eq!(Header::parse(page, 256).err(), Some(error));
        assert!(!error.to_string().is_empty());
    };
    check(&[0; PAGE_SIZE], HeaderError::NoSignature);
    check(&page(2, 255, &[]), HeaderError::Version(2));
    check(&page(1, 256, &[]), HeaderError::Short { said: 257, pages: 256 });
    check(&page(1, u32::MAX, &[]), HeaderError::Short { said: 1 << 32, pages: 256 });
    check(&page(1, 0, &[]), HeaderError::Empty);
    check(&page(1, 255, &[255, 0]), HeaderError::NoSuchSlot(0));
    check(&page(1, 254, &[255]), HeaderError::NoSuchSlot(255));
    check(&page(1, 255, &[1; MAX_BAD + 1]), HeaderError::TooManyBad(638));
    let mut old = page(1, 255, &[]);
    old[SIGNATURE_AT..].copy_from_slice(OLD_SIGNATURE);
    check(&old, HeaderError::OldFormat);
    assert!(Header::parse(&page(1, 255, &[1; MAX_BAD]), 256).is_ok());
}

#[test]
fn any_bytes_are_judged() {
    let mut random = Rng::new(17);
    for _ in 0..20_000 {
        let mut page = page(1, 255, &[3, 4]);
        for _ in 0..1 + random.below(4) {
            let at = match random.below(3) {
                0 => FACTS_AT + random.below(16),
                1 => BAD_AT + random.below(16),
                _ => random.below(PAGE_SIZE),
            };
            page[at] = random.below(256) as u8;
        }
        let pages = random.below(600) as u64;
        if let Ok(header) = Header::parse(&page, pages) {
            assert!(header.slots() > 1 && u64::from(header.slots()) <= pages);
            assert!(header.bad().all(|slot| (1..header.slots()).contains(&slot)));
        }
    }
}
