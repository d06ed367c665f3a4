//! A full look at a tree: for tests.

use mm::own::Global;

use super::Tree;
use super::node::{Body, Number, ROOT};

impl<C, K: Global> Tree<C, K> {
    /// Checks all invariants: those of the tree and, of each directory, that what it lists is what it finds.
    pub fn validate(&self) -> Result<(), &'static str> {
        self.nodes.iter().try_for_each(|(number, _)| self.validate_node(number))
    }

    fn validate_node(&self, number: Number) -> Result<(), &'static str> {
        let node = self.node(number).map_err(|_| "a number leads to nothing")?;
        if node.is_unused() {
            return Err("a file that nothing leads to is still there");
        }
        let (names, inner) = self.count(number)?;
        let links = match (&node.body, names) {
            (Body::Directory(directory), 0) if number != ROOT => {
                if !directory.is_empty() {
                    return Err("a directory that is gone has names");
                }
                0
            }
            (Body::Directory(_), 0 | 1) => 2 + inner,
            (Body::Directory(_), _) => return Err("a directory has two names"),
            (_, names) => names,
        };
        if node.attributes.links == links { Ok(()) } else { Err("links are not as many as names") }
    }

    /// How many names lead to it, and how many directories are in it.
    fn count(&self, number: Number) -> Result<(u32, u32), &'static str> {
        let (mut names, mut inner) = (0, 0);
        for (holder, node) in self.nodes.iter() {
            let Body::Directory(directory) = &node.body else { continue };
            for entry in directory.iter() {
                let child = self.node(entry.value.number).map_err(|_| "a name leads to nothing")?;
                if directory.get(&entry.name).map(|named| named.number) != Some(entry.value.number) {
                    return Err("a name that is listed is not found");
                }
                if child.is_directory() && child.parent != holder {
                    return Err("a directory is not where its parent is");
                }
                names += u32::from(entry.value.number == number);
                inner += u32::from(holder == number && child.is_directory());
            }
        }
        Ok((names, inner))
    }
}
