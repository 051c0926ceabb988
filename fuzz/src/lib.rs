//! What the targets share: a real log that is spoilt by orders, and bytes that are read as decisions.

/// How many of the first bytes of an input are orders.
pub const ORDERS_LEN: usize = 12;

/// The orders in an input, and the rest of it.
pub fn orders(input: &[u8]) -> (&[u8], &[u8]) {
    input.split_at(input.len().min(ORDERS_LEN))
}

/// `log` after its lines were copied, dropped, cut, flipped and exchanged, three bytes an order; and `rest` among them, or behind
/// them, as it is.
pub fn spoil(log: &[u8], orders: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = log.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for order in orders.chunks_exact(3) {
        let (from, to) = (usize::from(order[1]) % lines.len(), usize::from(order[2]) % lines.len());
        match order[0] % 6 {
            0 => lines.insert(to, lines[from].clone()),
            1 if lines.len() > 1 => drop(lines.remove(from)),
            2 => {
                let len = usize::from(order[2]) % lines[from].len();
                lines[from].truncate(len);
            }
            3 => {
                let at = usize::from(order[2]) % lines[from].len();
                lines[from][at] ^= 1 << (order[0] >> 5);
            }
            4 => lines.swap(from, to),
            _ => lines.insert(to, [rest, b"\n"].concat()),
        }
        lines.retain(|line| !line.is_empty());
        if lines.is_empty() {
            lines.push(b"\n".to_vec());
        }
    }
    let mut spoilt = lines.concat();
    if orders.first().is_some_and(|first| first & 64 == 0) {
        spoilt.extend_from_slice(rest);
    }
    spoilt
}

/// Bytes that decide what happens next; zeros when there are no more.
pub struct Decisions<'a>(pub &'a [u8]);

impl Decisions<'_> {
    /// Whether anything is left to decide.
    pub fn are_left(&self) -> bool {
        !self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }
}
