//! Records into JSON: the same bytes as `serde_json` writes, long strings several times as fast.
//!
//! A record of a transcript is one long string and a few short members. `serde_json` looks at each byte of a string by itself; here
//! sixteen are looked at while they are copied. Everything else is left to it: numbers, what a map's key may be, and what only it knows how to
//! write, such as its `RawValue`.

use serde::Serialize;
use serde::ser::{self, Serializer};
use serde_json::{Error, Result};

use crate::scan::escape;

/// `serde_json`'s own types tell their serialiser by such a name that they want to be written in a way of their own.
const ITS_OWN: &str = "$serde_json::private::";

/// Appends a value's JSON text to `out`: byte for byte what `serde_json::to_writer` would append, and sooner where there are long strings.
///
/// ```
/// let mut out = b"> ".to_vec();
/// jsonl_core::write_json(&("two\nlines", 1.5, [None, Some(true)]), &mut out).unwrap();
/// assert_eq!(out, br#"> ["two\nlines",1.5,[null,true]]"#);
/// ```
///
/// # Errors
///
/// What the value's own `Serialize` says, or `serde_json` of a map's key that is no string; `out` may have got a part of the text.
pub fn write_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<()> {
    value.serialize(Json { out })
}

/// A record that is made by hand, where its shape is known: piece by piece, without anything that could look at it once more.
///
/// Whoever makes it answers for it: together the pieces are one JSON object. Where debug assertions are on, that is looked at.
#[derive(Debug)]
pub struct Pieces<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Appends a piece as it is.
    pub fn push(&mut self, json: impl AsRef<[u8]>) -> &mut Self {
        self.out.extend_from_slice(json.as_ref());
        self
    }

    /// Appends a text as a string, with its quotes.
    pub fn string(&mut self, text: &str) -> &mut Self {
        escape(text, self.out);
        self
    }

    /// Appends a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        let mut digits = [0; 20];
        let mut left = number;
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.push(&digits[at..])
    }
}

/// Writes one value.
struct Json<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Json<'a> {
    fn by_serde_json<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        serde_json::to_writer(self.out, value)
    }

    fn open(self, begin: &str, end: &'static str) -> Compound<'a> {
        self.out.extend_from_slice(begin.as_bytes());
        Compound { out: self.out, is_first: true, end, its_own: None }
    }

    /// `{"variant":` and what comes behind it.
    fn variant(self, variant: &str) -> Self {
        self.out.push(b'{');
        escape(variant, self.out);
        self.out.push(b':');
        self
    }
}

/// Passes values of these types on to `serde_json`.
macro_rules! by_serde_json {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<()> {
            self.by_serde_json(&value)
        })*
    };
}

impl<'a> Serializer for Json<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    by_serde_json! {
        serialize_bool: bool, serialize_char: char,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64
    }

    fn serialize_str(self, text: &str) -> Result<()> {
        escape(text, self.out);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        self.by_serde_json(bytes)
    }

    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let Json { out } = self.variant(variant);
        write_json(value, out)?;
        out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Compound<'a>> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Compound<'a>> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Compound<'a>> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a>> {
        Ok(self.variant(variant).open("[", "]}"))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Compound<'a>> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Compound<'a>> {
        if name.starts_with(ITS_OWN) {
            return Ok(Compound { out: self.out, is_first: true, end: "", its_own: Some(name) });
        }
        Ok(self.open("{", "}"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a>> {
        Ok(self.variant(variant).open("{", "}}"))
    }
}

/// Writes what is in brackets.
struct Compound<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
    end: &'static str,
    /// The name of a struct that is `serde_json`'s own.
    its_own: Option<&'static str>,
}

impl Compound<'_> {
    fn next(&mut self) {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.next();
        write_json(value, self.out)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        if let Some(its_own) = self.its_own {
            return serde_json::to_writer(&mut *self.out, &ItsOwn { its_own, name, value });
        }
        self.next();
        escape(name, self.out);
        self.out.push(b':');
        write_json(value, self.out)
    }

    fn close(self) {
        self.out.extend_from_slice(self.end.as_bytes());
    }
}

/// Elements of an array, by whatever name the trait has for them.
macro_rules! elements {
    ($($of:ident $method:ident),*) => {
        $(impl ser::$of for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.element(value)
            }

            fn end(self) -> Result<()> {
                self.close();
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

/// Members with names that are known.
macro_rules! fields {
    ($($of:ident),*) => {
        $(impl ser::$of for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
                self.field(name, value)
            }

            fn end(self) -> Result<()> {
                self.close();
                Ok(())
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.next();
        // As the first key of a map of which the bracket is taken back: keys are short, and what may be one is not for us to say.
        let start = self.out.len();
        let mut serializer = serde_json::Serializer::new(&mut *self.out);
        ser::SerializeMap::serialize_key(&mut serializer.serialize_map(Some(1))?, key)?;
        self.out.remove(start);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.out.push(b':');
        write_json(value, self.out)
    }

    fn end(self) -> Result<()> {
        self.close();
        Ok(())
    }
}

/// A struct of `serde_json`'s own, with its one field.
struct ItsOwn<'a, T: ?Sized> {
    its_own: &'static str,
    name: &'static str,
    value: &'a T,
}

impl<T: Serialize + ?Sized> Serialize for ItsOwn<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        use ser::SerializeStruct;
        let mut its_own = serializer.serialize_struct(self.its_own, 1)?;
        its_own.serialize_field(self.name, self.value)?;
        its_own.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    fn assert_same<T: Serialize + ?Sized>(value: &T) {
        let mut ours = b"before".to_vec();
        let result = write_json(value, &mut ours);
        match serde_json::to_vec(value) {
            Ok(theirs) => {
                result.unwrap();
                assert_eq!(ours.strip_prefix(b"before"), Some(&*theirs), "{}", ours.escape_ascii());
            }
            Err(theirs) => assert_eq!(result.unwrap_err().to_string(), theirs.to_string()),
        }
    }

    #[derive(Serialize)]
    enum Kind {
        Unit,
        Newtype(f32),
        Tuple(i8, Option<char>),
        Struct { r#type: &'static str, empty: [u8; 0] },
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Newtype(u128);

    #[derive(Serialize)]
    struct Tuple(Unit, Newtype);

    #[derive(Serialize)]
    struct All<'a> {
        kinds: [Kind; 4],
        tuple: Tuple,
        #[serde(rename = "a \"key\"")]
        renamed: (bool, i128),
        #[serde(skip_serializing_if = "Option::is_none")]
        none: Option<u8>,
        #[serde(flatten)]
        flat: BTreeMap<String, f64>,
        raw: &'a RawValue,
        nothing: (),
    }

    /// A `Serialize` that calls what no derived one does.
    struct Bytes(&'static [u8]);

    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    struct Shown;

    impl Serialize for Shown {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serializer.collect_str(&format_args!("{}\n\u{1}", 7))
        }
    }

    #[test]
    fn whatever_can_be_serialised_becomes_what_serde_json_makes_of_it() {
        let raw = RawValue::from_string(r#"{"b" : [1.50, "\u0041"]}"#.to_owned()).unwrap();
        let struct_kind = Kind::Struct { r#type: "\u{7f}\u{1f}é\u{2028}", empty: [] };
        assert_same(&All {
            kinds: [Kind::Unit, Kind::Newtype(0.1), Kind::Tuple(-5, Some('"')), struct_kind],
            tuple: Tuple(Unit, Newtype(u128::MAX)),
            renamed: (true, i128::MIN),
            none: None,
            flat: [("x".to_owned(), f64::NAN), ("y\\".to_owned(), 1e300)].into(),
            raw: &raw,
            nothing: (),
        });
        assert_same(&(Bytes(b"\0\xFF"), Shown, Bytes(b""), [Some(&raw), None]));
        assert_same(&(f64::INFINITY, -0.0, f32::MIN_POSITIVE, u64::MAX, i64::MIN, 'é', '\n'));
        assert_same(&json!({"": {}, "a": [], "\n": [{"\"": [[null]]}, -1, 2.5]}));
    }

    #[test]
    fn numbers_are_written_by_hand_as_by_serde_json() {
        for number in [0, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            Pieces::new(&mut out).push("[").number(number).push(b",").string("\"").push("]");
            assert_eq!(out, serde_json::to_vec(&(number, "\"")).unwrap());
        }
    }

    #[test]
    fn keys_are_what_serde_json_takes_for_one() {
        assert_same(&BTreeMap::from([(1, "a"), (-5, "b")]));
        assert_same(&BTreeMap::from([(true, 1)]));
        assert_same(&BTreeMap::from([('\u{8}', 1)]));
        assert_same(&BTreeMap::from([(u128::MAX, 1)]));
        assert_same(&BTreeMap::from([((), 1)]));
        assert_same(&BTreeMap::from([(vec![1], 1)]));
        assert_same(&json!({"deep": [1]}).as_object().map(|map| (map, BTreeMap::from([(Some("k"), 1)]))));
    }

    #[test]
    fn what_cannot_be_serialised_is_told() {
        struct Never;
        impl Serialize for Never {
            fn serialize<S: Serializer>(&self, _serializer: S) -> std::result::Result<S::Ok, S::Error> {
                Err(ser::Error::custom("never"))
            }
        }
        assert_same(&Never);
        assert_same(&["a"].map(|key| BTreeMap::from([(key, Some(Never))])));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,100}".prop_map(Value::from),
            "[\"\\\\\x00-\x20aé]{0,200}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,20}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_value_becomes_what_serde_json_makes_of_it(value in any_json()) {
            assert_same(&value);
        }
    }
}
