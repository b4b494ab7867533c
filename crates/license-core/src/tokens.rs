//! A table of what is held, by token. Tokens only grow, so it is kept in pages of consecutive ones:
//! a token is found through the number of its page, and the table is in order as it lies. A page
//! lives as long as one of its tokens.

use std::collections::{BTreeMap, btree_map};

use license_types::Token;

/// Tokens of one page: few enough that a lone one wastes little, many enough that the pages of a
/// million are found through a tree of few levels.
const PAGE: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Tokens<T> {
    pages: BTreeMap<u64, Page<T>>,
}

#[derive(Clone, Debug)]
struct Page<T> {
    held: usize,
    slots: Box<[Option<T>; PAGE]>,
}

impl<T> Tokens<T> {
    pub(crate) fn new() -> Tokens<T> {
        Tokens { pages: BTreeMap::new() }
    }

    pub(crate) fn get(&self, token: Token) -> Option<&T> {
        let (page, slot) = place(token);
        self.pages.get(&page)?.slots[slot].as_ref()
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
            Some(mut last) if *last.key() == number => last.get_mut().put(slot, value),
            _ => {
                let mut page = Page { held: 0, slots: Box::new([const { None }; PAGE]) };
                page.put(slot, value);
                self.pages.insert(number, page);
            }
        }
    }

    /// The place of a token, which may be empty.
    pub(crate) fn place(&mut self, token: Token) -> Option<Place<'_, T>> {
        let (page, slot) = place(token);
        match self.pages.entry(page) {
            btree_map::Entry::Occupied(page) => Some(Place { page, slot }),
            btree_map::Entry::Vacant(_) => None,
        }
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
    fn put(&mut self, slot: usize, value: T) {
        self.held += usize::from(self.slots[slot].replace(value).is_none());
    }
}

/// Where something may be held.
pub(crate) struct Place<'a, T> {
    page: btree_map::OccupiedEntry<'a, u64, Page<T>>,
    slot: usize,
}

impl<T> Place<'_, T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.page.get().slots[self.slot].as_ref()
    }

    pub(crate) fn remove(mut self) {
        let page = self.page.get_mut();
        page.held -= usize::from(page.slots[self.slot].take().is_some());
        if page.held == 0 {
            self.page.remove();
        }
    }
}

fn place(token: Token) -> (u64, usize) {
    let size = PAGE as u64;
    (token.get() / size, (token.get() % size) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_in_order_what_was_put_in_and_no_empty_page() {
        let token = |number: u64| Token::new(number).unwrap();
        let mut tokens = Tokens::new();
        for number in 1..=100 {
            tokens.push(token(number), number);
        }
        for number in (1..=100).filter(|number| number % 40 != 0) {
            tokens.place(token(number)).unwrap().remove();
        }
        assert_eq!(tokens.values().collect::<Vec<_>>(), [&40, &80]);
        assert_eq!(tokens.pages.len(), 2);
        assert_eq!((tokens.get(token(80)), tokens.get(token(81))), (Some(&80), None));
        tokens.place(token(81)).unwrap().remove();
        assert_eq!(tokens.get(token(80)), Some(&80), "an empty place changes nothing");
        assert!(tokens.place(token(1)).is_none());
    }
}
