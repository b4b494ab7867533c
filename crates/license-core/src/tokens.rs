//! A table of what is held, by token. Tokens only grow, so the table is made of pages of consecutive
//! tokens, and chapters of consecutive pages. A token is found by the number of its chapter, without a
//! search in it, and everything is in order. A page lives as long as one of its tokens is held.
//!
//! A clone of the table shares its pages, and a page is copied when it is changed while it is shared:
//! so a snapshot of a million retentions is taken without touching any of them.

use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use license_types::Token;

/// How many tokens a page has: few enough that a lone one wastes little and a copy is quick.
const PAGE: usize = 32;

/// How many pages a chapter has: enough that there are few chapters to search.
const CHAPTER: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Tokens<T> {
    chapters: BTreeMap<u64, Chapter<T>>,
}

#[derive(Clone, Debug)]
struct Chapter<T> {
    used: usize,
    pages: Box<[Option<Arc<Page<T>>>; CHAPTER]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    held: usize,
    slots: [Option<T>; PAGE],
}

impl<T: Clone> Tokens<T> {
    pub(crate) fn new() -> Tokens<T> {
        Tokens { chapters: BTreeMap::new() }
    }

    pub(crate) fn get(&self, token: Token) -> Option<&T> {
        let Place { chapter, page, slot } = place(token.get());
        self.chapters.get(&chapter)?.pages[page].as_ref()?.slots[slot].as_ref()
    }

    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let Place { chapter, page, slot } = place(token.get());
        let page = self.chapters.get_mut(&chapter)?.pages[page].as_mut()?;
        page.slots[slot].as_ref()?;
        Arc::make_mut(page).slots[slot].as_mut()
    }

    /// The highest token that is held.
    pub(crate) fn last(&self) -> Option<Token> {
        let (chapter, Chapter { pages, .. }) = self.chapters.last_key_value()?;
        let page = pages.iter().rposition(Option::is_some)?;
        let slot = pages[page].as_ref()?.slots.iter().rposition(Option::is_some)?;
        Token::new((chapter * CHAPTER as u64 + page as u64) * PAGE as u64 + slot as u64).ok()
    }

    /// Puts in what the last token holds.
    pub(crate) fn push(&mut self, token: Token, value: T) {
        let Place { chapter, page, slot } = place(token.get());
        let mut last = match self.chapters.last_entry() {
            Some(last) if *last.key() == chapter => last,
            _ => self.chapters.entry(chapter).insert_entry(Chapter::new()),
        };
        let Chapter { used, pages } = last.get_mut();
        let page = pages[page].get_or_insert_with(|| {
            *used += 1;
            Arc::new(Page { held: 0, slots: [const { None }; PAGE] })
        });
        Arc::make_mut(page).put(slot, value);
    }

    /// Takes out what a token holds.
    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        let Place { chapter, page, slot } = place(token.get());
        let btree_map::Entry::Occupied(mut chapter) = self.chapters.entry(chapter) else {
            return None;
        };
        let Chapter { used, pages } = chapter.get_mut();
        let shared = pages[page].as_mut()?;
        shared.slots[slot].as_ref()?;
        let own = Arc::make_mut(shared);
        let removed = own.slots[slot].take();
        own.held -= 1;
        if own.held == 0 {
            pages[page] = None;
            *used -= 1;
            if *used == 0 {
                chapter.remove();
            }
        }
        removed
    }

    /// Takes out the page of the lowest tokens.
    pub(crate) fn pop_first(&mut self) -> Option<Arc<Page<T>>> {
        let mut first = self.chapters.first_entry()?;
        let Chapter { used, pages } = first.get_mut();
        let page = pages.iter_mut().find_map(Option::take);
        *used -= 1;
        if *used == 0 {
            first.remove();
        }
        page
    }

    /// What is held, in the order of the tokens.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.values_from(0)
    }

    /// What is held by the token `from` and those after it, in their order.
    pub(crate) fn values_from(&self, from: u64) -> impl Iterator<Item = &T> {
        let from = place(from);
        self.chapters.range(from.chapter..).flat_map(move |(chapter, Chapter { pages, .. })| {
            let first = if *chapter == from.chapter { from.page } else { 0 };
            let pages = pages.iter().enumerate().skip(first);
            let pages = pages.filter_map(|(page, it)| it.as_ref().map(|it| (page, it)));
            pages.flat_map(move |(page, it)| {
                let is_first = *chapter == from.chapter && page == from.page;
                it.slots[if is_first { from.slot } else { 0 }..].iter().flatten()
            })
        })
    }
}

impl<T> Chapter<T> {
    fn new() -> Chapter<T> {
        Chapter { used: 0, pages: Box::new([const { None }; CHAPTER]) }
    }
}

impl<T> Page<T> {
    /// What is held, in the order of the tokens.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    fn put(&mut self, slot: usize, value: T) {
        self.held += usize::from(self.slots[slot].replace(value).is_none());
    }
}

/// Where a token is held.
#[derive(Clone, Copy)]
struct Place {
    chapter: u64,
    page: usize,
    slot: usize,
}

fn place(token: u64) -> Place {
    let (number, slot) = (token / PAGE as u64, (token % PAGE as u64) as usize);
    Place { chapter: number / CHAPTER as u64, page: (number % CHAPTER as u64) as usize, slot }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u64) -> Token {
        Token::new(number).unwrap()
    }

    fn hundred() -> Tokens<u64> {
        let mut tokens = Tokens::new();
        for number in 1..=100 {
            tokens.push(token(number), number);
        }
        tokens
    }

    #[test]
    fn holds_in_order_what_was_put_in_and_no_empty_page() {
        let mut tokens = hundred();
        for number in (1..=100).filter(|number| number % 40 != 0) {
            assert_eq!(tokens.remove(token(number)), Some(number));
        }
        assert_eq!(tokens.values().collect::<Vec<_>>(), [&40, &80]);
        assert_eq!((tokens.chapters.len(), tokens.chapters[&0].used), (1, 2));
        assert_eq!((tokens.get(token(80)), tokens.get(token(81))), (Some(&80), None));
        assert_eq!(tokens.remove(token(81)), None);
        assert_eq!(tokens.get(token(80)), Some(&80), "an empty place changes nothing");
        assert_eq!(tokens.remove(token(1)), None);
    }

    #[test]
    fn a_clone_stays_as_it_was_and_shares_what_was_not_changed() {
        let mut tokens = hundred();
        let mut before = tokens.clone();
        tokens.remove(token(7));
        *tokens.get_mut(token(8)).unwrap() = 0;
        tokens.push(token(101), 101);
        assert!(before.values().copied().eq(1..=100));
        let page = |tokens: &Tokens<u64>, number: usize| {
            Arc::as_ptr(tokens.chapters[&0].pages[number].as_ref().unwrap())
        };
        let shared = |number| page(&before, number) == page(&tokens, number);
        assert_eq!([0, 1, 2, 3].map(shared), [false, true, true, false]);
        assert!(before.pop_first().unwrap().values().copied().eq(1..32));
        assert!(before.values().copied().eq(32..=100));
    }

    #[test]
    fn chapters_are_read_from_any_token_on_and_end_with_their_pages() {
        let mut tokens = Tokens::new();
        for number in 1..=5000 {
            tokens.push(token(number), number);
        }
        for from in [0, 1, 31, 32, 2047, 2048, 2049, 4096, 5000, 5001, u64::MAX] {
            assert!(tokens.values_from(from).copied().eq(from.max(1)..=5000), "{from}");
        }
        for number in 1000..=4999 {
            tokens.remove(token(number));
        }
        assert_eq!(tokens.chapters.len(), 2);
        assert!(tokens.values_from(999).copied().eq([999, 5000]));
        assert_eq!(tokens.last(), Some(token(5000)));
        let mut told = 0;
        while let Some(page) = tokens.pop_first() {
            told += page.values().count();
        }
        assert_eq!((told, tokens.chapters.len()), (1000, 0));
    }
}
