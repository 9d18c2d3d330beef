//! Long lists, page by page. The place in a list is the last thing seen, so that what is added meanwhile moves nothing.

use uuid::Uuid;

/// The page that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many at most: 1 to 100.
    pub limit: u8,
    /// The last one of the page before.
    pub after: Option<Uuid>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The last one, where there are more.
    pub next: Option<Uuid>,
}

impl Page {
    /// How many to read: one more than asked for tells whether there are more.
    pub fn to_read(self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page, of what was read.
    pub fn of<T>(self, mut read: Vec<T>, id: impl Fn(&T) -> Uuid) -> Paged<T> {
        let limit = usize::from(self.limit);
        let next = (read.len() > limit).then(|| read.get(limit - 1).map(id));
        read.truncate(limit);
        Paged {
            items: read,
            next: next.flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_next_page_where_more_was_read_than_asked_for() {
        let page = Page {
            limit: 2,
            after: None,
        };
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let of = |read: usize| page.of(ids[..read].to_vec(), |id| *id);
        for read in 0..=2 {
            assert_eq!((of(read).items.len(), of(read).next), (read, None));
        }
        assert_eq!(of(3).items, ids[..2]);
        assert_eq!(of(3).next, Some(ids[1]));
    }
}
