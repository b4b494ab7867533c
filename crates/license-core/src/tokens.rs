//! A table of what is held, by token. Tokens only grow, so it is kept in pages of consecutive ones:
//! a token is found through the number of its page, and the table is in order as it lies. A page
//! lives as long as one of its tokens.
//!
//! A clone of the table shares its pages, and a page is copied when it is changed while it is shared:
//! so a snapshot of a million retentions is taken without touching any of them.

use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use license_types::Token;

/// Tokens of one page: few enough that a lone one wastes little and that a copy is short, many enough
/// that the pages of a million are found through a tree of few levels.
const PAGE: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Tokens<T> {
    pages: BTreeMap<u64, Arc<Page<T>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    held: usize,
    slots: [Option<T>; PAGE],
}

impl<T: Clone> Tokens<T> {
    pub(crate) fn new() -> Tokens<T> {
        Tokens { pages: BTreeMap::new() }
    }

    pub(crate) fn get(&self, token: Token) -> Option<&T> {
        let (page, slot) = place(token);
        self.pages.get(&page)?.slots[slot].as_ref()
    }

    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let (page, slot) = place(token);
        let page = self.pages.get_mut(&page)?;
        page.slots[slot].as_ref()?;
        Arc::make_mut(page).slots[slot].as_mut()
    }

    /// The highest token that is held.
    pub(crate) fn last(&self) -> Option<Token> {
        let (page, it) = self.pages.last_key_value()?;
        let slot = it.slots.iter().rposition(Option::is_some)?;
        Token::new(page * PAGE as u64 + slot as u64).ok()
    }

    /// Puts in what the last token holds.
    pub(crate) fn push(&mut self, token: Token, value: T) {
        let (number, slot) = place(token);
        match self.pages.last_entry() {
            Some(mut last) if *last.key() == number => {
                Arc::make_mut(last.get_mut()).put(slot, value);
            }
            _ => {
                let mut page = Page { held: 0, slots: [const { None }; PAGE] };
                page.put(slot, value);
                self.pages.insert(number, Arc::new(page));
            }
        }
    }

    /// Takes out what a token holds.
    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        let (number, slot) = place(token);
        let btree_map::Entry::Occupied(mut page) = self.pages.entry(number) else { return None };
        page.get().slots[slot].as_ref()?;
        let it = Arc::make_mut(page.get_mut());
        let removed = it.slots[slot].take();
        it.held -= 1;
        if it.held == 0 {
            page.remove();
        }
        removed
    }

    /// Takes out the page of the lowest tokens.
    pub(crate) fn pop_first(&mut self) -> Option<Arc<Page<T>>> {
        self.pages.pop_first().map(|(_, page)| page)
    }

    /// What is held, in the order of the tokens.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.values_from(0)
    }

    /// What is held by the token `from` and those after it, in their order.
    pub(crate) fn values_from(&self, from: u64) -> impl Iterator<Item = &T> {
        let (first, skipped) = (from / PAGE as u64, (from % PAGE as u64) as usize);
        self.pages.range(first..).flat_map(move |(number, page)| {
            let skipped = if *number == first { skipped } else { 0 };
            page.slots[skipped..].iter().flatten()
        })
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

fn place(token: Token) -> (u64, usize) {
    let size = PAGE as u64;
    (token.get() / size, (token.get() % size) as usize)
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
        assert_eq!(tokens.pages.len(), 2);
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
        let shared = |number| Arc::ptr_eq(&before.pages[&number], &tokens.pages[&number]);
        assert_eq!([0, 1, 2, 3].map(shared), [false, true, true, false]);
        assert!(before.pop_first().unwrap().values().copied().eq(1..32));
        assert!(before.values().copied().eq(32..=100));
    }
}
