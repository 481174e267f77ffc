//! Every function by its place in the list, and arguments for it: `functions.txt` read into memory.

use std::mem::transmute;

use cryptoki_sys::*;

use super::canary::AtEdge;
use super::cryptoki::{Module, plain};

/// Bytes behind every pointer that is no structure.
const ROOM: usize = 512;
/// The length given for every input.
const LENGTH: usize = 32;

/// One argument, or a pointer and its length where they belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A session handle.
    Session,
    /// A slot identifier.
    Slot,
    /// A number that is given.
    Number(usize),
    /// A pointer that must be null.
    Reserved,
    /// A callback, absent.
    Callback,
    /// A pointer that may be null.
    Optional,
    /// A pointer to input that must not be null.
    Required,
    /// A mechanism.
    Mechanism,
    /// A mechanism whose absence ends an operation.
    OptionalMechanism,
    /// Bytes and their length.
    In,
    /// A PIN and its length.
    Pin,
    /// Attributes and their number.
    Template,
    /// A place for one value.
    Out,
    /// Output and the place of its length: a null pointer asks for the length.
    List,
    /// The same, where the place may be missing too.
    OptionalList,
    /// Output, its capacity, and the place of a number.
    Array,
}

/// What one machine word of a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Session,
    Slot,
    Number,
    /// Null is CKR_ARGUMENTS_BAD.
    Required,
    /// Null is CKR_ARGUMENTS_BAD unless the next word, a length, is 0.
    Counted,
    /// As `Counted`, but null with length 0 asks for a PIN pad, without which it is CKR_ARGUMENTS_BAD too.
    Pin,
    /// The length of what the word before points to.
    Length,
    /// Null has a meaning.
    Optional,
    /// Null ends an operation, where one is active.
    Ends,
    /// Anything but null is CKR_ARGUMENTS_BAD.
    Reserved,
}

/// A function: its place in the list is its place here.
pub struct Function {
    pub name: &'static str,
    pub arguments: Vec<Argument>,
}

/// All functions in the order of the list.
pub fn functions() -> Vec<Function> {
    let lines = include_str!("functions.txt").lines().filter(|line| !line.starts_with('#'));
    let functions = lines.map(|line| {
        let mut words = line.split_whitespace();
        Function { name: words.next().unwrap(), arguments: words.map(argument).collect() }
    });
    functions.collect()
}

fn argument(word: &str) -> Argument {
    match word.split_once('=').unwrap_or((word, "0")) {
        ("session", _) => Argument::Session,
        ("slot", _) => Argument::Slot,
        ("number", value) => Argument::Number(value.parse().unwrap()),
        ("reserved", _) => Argument::Reserved,
        ("callback", _) => Argument::Callback,
        ("optional", _) => Argument::Optional,
        ("required", _) => Argument::Required,
        ("mechanism", _) => Argument::Mechanism,
        ("optional-mechanism", _) => Argument::OptionalMechanism,
        ("in", _) => Argument::In,
        ("pin", _) => Argument::Pin,
        ("template", _) => Argument::Template,
        ("out", _) => Argument::Out,
        ("list", _) => Argument::List,
        ("optional-list", _) => Argument::OptionalList,
        ("array", _) => Argument::Array,
        _ => panic!("functions.txt: {word}"),
    }
}

impl Function {
    /// What the words of a call are.
    pub fn words(&self) -> Vec<Word> {
        let words = self.arguments.iter().flat_map(|argument| match argument {
            Argument::Session => vec![Word::Session],
            Argument::Slot => vec![Word::Slot],
            Argument::Number(_) | Argument::Callback => vec![Word::Number],
            Argument::Reserved => vec![Word::Reserved],
            Argument::Optional => vec![Word::Optional],
            Argument::OptionalMechanism => vec![Word::Ends],
            Argument::Required | Argument::Mechanism | Argument::Out => vec![Word::Required],
            Argument::In | Argument::Template => vec![Word::Counted, Word::Length],
            Argument::Pin => vec![Word::Pin, Word::Length],
            Argument::List => vec![Word::Optional, Word::Required],
            Argument::OptionalList => vec![Word::Optional, Word::Optional],
            Argument::Array => vec![Word::Counted, Word::Length, Word::Required],
        });
        words.collect()
    }

    /// Whether the function works before C_Initialize (PKCS#11 3.2 sections 5.4.1, 5.4.4 to 5.4.6).
    pub fn is_stateless(&self) -> bool {
        ["C_Initialize", "C_GetFunctionList", "C_GetInterfaceList", "C_GetInterface"].contains(&self.name)
    }

    /// Whether the first argument is a session.
    pub fn takes_session(&self) -> bool {
        self.arguments.first() == Some(&Argument::Session)
    }
}

/// Memory for the arguments of calls.
pub struct Memory {
    session: CK_SESSION_HANDLE,
    slot: CK_SLOT_ID,
    areas: Vec<Vec<u64>>,
    edges: Vec<AtEdge>,
    mechanism: Box<CK_MECHANISM>,
    class: Box<CK_OBJECT_CLASS>,
    template: Box<CK_ATTRIBUTE>,
}

impl Memory {
    pub fn new(session: CK_SESSION_HANDLE, slot: CK_SLOT_ID) -> Self {
        let class = Box::new(CKO_DATA);
        let template = Box::new(CK_ATTRIBUTE {
            type_: CKA_CLASS,
            pValue: (&raw const *class).cast_mut().cast(),
            ulValueLen: size_of::<CK_OBJECT_CLASS>() as CK_ULONG,
        });
        Self {
            session,
            slot,
            areas: Vec::new(),
            edges: Vec::new(),
            mechanism: Box::new(plain(CKM_RSA_PKCS)),
            class,
            template,
        }
    }

    /// Arguments that the specification allows.
    pub fn sane(&mut self, function: &Function) -> Vec<usize> {
        assert_eq!(*self.class, CKO_DATA);
        let mut words = Vec::new();
        for argument in &function.arguments {
            match argument {
                Argument::Session => words.push(self.session as usize),
                Argument::Slot => words.push(self.slot as usize),
                Argument::Number(value) => words.push(*value),
                Argument::Reserved | Argument::Callback | Argument::Optional => words.push(0),
                Argument::Required => words.push(self.text()),
                Argument::Mechanism | Argument::OptionalMechanism => words.push(&raw mut *self.mechanism as usize),
                Argument::In | Argument::Pin => words.extend([self.text(), LENGTH]),
                Argument::Template => words.extend([&raw mut *self.template as usize, 1]),
                Argument::Out => words.push(self.area(0)),
                Argument::List | Argument::OptionalList => {
                    let capacity = ROOM / size_of::<CK_INTERFACE>();
                    words.extend([self.area(0), self.area(capacity as u64)]);
                }
                Argument::Array => words.extend([self.area(0), ROOM / size_of::<CK_ULONG>(), self.area(0)]),
            }
        }
        words
    }

    /// The same with all input at unaligned addresses at the end of its page.
    pub fn at_the_edge(&mut self, function: &Function) -> Vec<usize> {
        let mut words = self.sane(function);
        let mut position = 0;
        for argument in &function.arguments {
            let edge = match argument {
                Argument::Mechanism | Argument::OptionalMechanism => Some(AtEdge::of(&*self.mechanism)),
                Argument::Template => Some(AtEdge::of(&*self.template)),
                Argument::In | Argument::Pin => {
                    words[position + 1] = LENGTH - 1;
                    Some(AtEdge::new(&[b'0'; LENGTH - 1]))
                }
                _ => None,
            };
            if let Some(edge) = edge {
                words[position] = edge.pointer::<u8>() as usize;
                self.edges.push(edge);
            }
            position += Function { name: "", arguments: vec![*argument] }.words().len();
        }
        words
    }

    /// Arguments with every pointer null and every length 0.
    pub fn null(&self, function: &Function) -> Vec<usize> {
        let words = function.words();
        let mut arguments = vec![0; words.len()];
        for (word, argument) in words.iter().zip(&mut arguments) {
            match word {
                Word::Session => *argument = self.session as usize,
                Word::Slot => *argument = self.slot as usize,
                _ => {}
            }
        }
        arguments
    }

    fn area(&mut self, first: u64) -> usize {
        let mut area = vec![0; ROOM / 8];
        area[0] = first;
        self.areas.push(area);
        self.areas.last_mut().unwrap().as_mut_ptr() as usize
    }

    /// Readable text that ends within its area.
    fn text(&mut self) -> usize {
        self.area(u64::from_ne_bytes(*b"00000000"))
    }
}

/// A function by its place in the list.
pub fn address(module: &Module, index: usize) -> usize {
    let list: *const CK_FUNCTION_LIST_3_2 = &raw const **module;
    // SAFETY: the list is CK_VERSION, padded to a pointer, and then 104 pointers.
    unsafe { list.cast::<usize>().add(1 + index).read() }
}

/// Calls the function at `address` with machine words: in the calling conventions of Linux every argument of
/// Cryptoki is one.
pub fn invoke(address: usize, words: &[usize]) -> CK_RV {
    type W = usize;
    macro_rules! as_function {
        ($($word:ident)*) => {{
            // SAFETY: a function of the list with as many arguments as the specification says.
            let function = unsafe { transmute::<usize, unsafe extern "C" fn($(as_function!(@ $word)),*) -> CK_RV>(address) };
            let [$($word),*] = *words else { unreachable!() };
            // SAFETY: what the arguments are is what the test is about.
            unsafe { function($($word),*) }
        }};
        (@ $word:ident) => { W };
    }
    match words.len() {
        1 => as_function!(a),
        2 => as_function!(a b),
        3 => as_function!(a b c),
        4 => as_function!(a b c d),
        5 => as_function!(a b c d e),
        6 => as_function!(a b c d e f),
        7 => as_function!(a b c d e f g),
        8 => as_function!(a b c d e f g h),
        9 => as_function!(a b c d e f g h i),
        10 => as_function!(a b c d e f g h i j),
        other => panic!("no function has {other} arguments"),
    }
}
