//! A host's side of USB/IP, written from the protocol's description alone.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// What became of a transfer: data, or a negative error number.
type Outcome = Result<Vec<u8>, i32>;

pub(crate) struct Host {
    stream: TcpStream,
    number: u32,
    /// Outcomes that came while another was awaited.
    early: HashMap<u32, Outcome>,
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

impl Host {
    /// The whole reply to OP_REQ_DEVLIST.
    pub(crate) fn list(port: u16) -> Vec<u8> {
        let mut stream = connect(port);
        stream.write_all(&[0x01, 0x11, 0x80, 0x05, 0, 0, 0, 0]).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        reply
    }

    pub(crate) fn import(port: u16) -> Self {
        Self::try_import(port).unwrap_or_else(|reply| panic!("the import is refused: {reply:02X?}"))
    }

    /// The device, or the reply that refuses it.
    pub(crate) fn try_import(port: u16) -> Result<Self, Vec<u8>> {
        let mut stream = connect(port);
        let mut request = vec![0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0];
        request.extend(b"1-1");
        request.resize(8 + 32, 0);
        stream.write_all(&request).unwrap();
        let mut reply = vec![0; 8];
        stream.read_exact(&mut reply).unwrap();
        if reply[4..] != [0; 4] {
            return Err(reply);
        }
        stream.read_exact(&mut [0; 312]).unwrap();
        Ok(Self { stream, number: 0, early: HashMap::new() })
    }

    /// Sends USBIP_CMD_SUBMIT; the transfer's number.
    fn submit(&mut self, is_in: bool, endpoint: u8, length: usize, setup: [u8; 8], data: &[u8]) -> u32 {
        self.number += 1;
        let words = [1, self.number, 0x0001_0001, u32::from(is_in), u32::from(endpoint), 0, length as u32, 0, 0, 0];
        let mut request: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        request.extend(setup);
        request.extend(data);
        self.stream.write_all(&request).unwrap();
        self.number
    }

    /// Asks for a transfer from an IN endpoint; its number.
    pub(crate) fn ask(&mut self, endpoint: u8, room: usize) -> u32 {
        self.submit(true, endpoint, room, [0; 8], &[])
    }

    /// Waits for the outcome of a transfer.
    pub(crate) fn outcome(&mut self, number: u32) -> Outcome {
        loop {
            if let Some(outcome) = self.early.remove(&number) {
                return outcome;
            }
            let (found, outcome) = self.reply().expect("the device is there");
            self.early.insert(found, outcome);
        }
    }

    /// One USBIP_RET_SUBMIT; the data are those of IN transfers only, so lengths of OUT transfers count as no data.
    fn reply(&mut self) -> Option<(u32, Outcome)> {
        let mut header = [0; 48];
        self.stream.read_exact(&mut header).ok()?;
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        assert_eq!(word(0), 3, "no other reply is due");
        let is_out = self.outs().contains(&word(4));
        let mut data = vec![0; if is_out { 0 } else { word(24) as usize }];
        self.stream.read_exact(&mut data).ok()?;
        let status = word(20) as i32;
        Some((word(4), if status == 0 { Ok(data) } else { Err(status) }))
    }

    fn outs(&self) -> Vec<u32> {
        self.early.iter().filter(|(_, outcome)| **outcome == Err(OUT)).map(|(number, _)| *number).collect()
    }

    /// A control transfer.
    pub(crate) fn control(&mut self, setup: [u8; 8]) -> Outcome {
        let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
        let number = self.submit(setup[0] & 0x80 != 0, 0, length, setup, &[]);
        self.outcome(number)
    }

    /// A transfer to the bulk OUT pipe.
    pub(crate) fn write(&mut self, message: &[u8]) {
        let number = self.submit(false, 1, message.len(), [0; 8], message);
        self.early.insert(number, Err(OUT));
        while self.early.get(&number) == Some(&Err(OUT)) {
            let (found, outcome) = self.reply().expect("the device is there");
            self.early.insert(found, outcome);
        }
        assert_eq!(self.early.remove(&number), Some(Ok(Vec::new())));
    }

    /// A transfer from the bulk IN pipe.
    pub(crate) fn read(&mut self, room: usize) -> Vec<u8> {
        let number = self.ask(2, room);
        self.outcome(number).unwrap()
    }

    /// A CCID message and its answer.
    pub(crate) fn message(&mut self, message: &[u8]) -> Vec<u8> {
        self.write(message);
        self.read(4096)
    }

    /// A block through PC_to_RDR_XfrBlock, in pieces of `room` bytes both ways where it is longer.
    pub(crate) fn apdu(&mut self, apdu: &[u8], room: usize) -> Vec<u8> {
        let mut pieces = apdu.chunks(room).enumerate().peekable();
        let mut answer = Vec::new();
        while let Some((index, piece)) = pieces.next() {
            let parameter = match (index == 0, pieces.peek().is_none()) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            answer = self.block(parameter, piece);
            if pieces.peek().is_some() {
                assert_eq!((answer[9], answer.len()), (0x10, 10));
            }
        }
        let mut response = answer[10..].to_vec();
        while matches!(answer[9], 1 | 3) {
            answer = self.block(0x10, &[]);
            response.extend(&answer[10..]);
        }
        response
    }

    fn block(&mut self, parameter: u8, data: &[u8]) -> Vec<u8> {
        let mut message = vec![0x6F];
        message.extend((data.len() as u32).to_le_bytes());
        message.extend([0, 0x55, 0, parameter, 0]);
        message.extend(data);
        let answer = self.message(&message);
        assert_eq!((answer[0], answer[6], answer[7] & 0xC0), (0x80, 0x55, 0), "{answer:02X?}");
        answer
    }

    /// The next notice on the interrupt pipe.
    pub(crate) fn interrupt(&mut self) -> Vec<u8> {
        let number = self.ask(3, 8);
        self.outcome(number).unwrap()
    }

    /// USBIP_CMD_UNLINK for a transfer; the status of the reply.
    pub(crate) fn take_back(&mut self, target: u32) -> i32 {
        self.number += 1;
        let words = [2, self.number, 0x0001_0001, 0, 0, target, 0, 0, 0, 0, 0, 0];
        let request: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
        self.stream.write_all(&request).unwrap();
        let mut header = [0; 48];
        self.stream.read_exact(&mut header).unwrap();
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4)), (4, self.number));
        word(20) as i32
    }

    /// Whether the connection ends, with no transfer carried out.
    pub(crate) fn is_cut(&mut self) -> bool {
        let asked = self.ask(2, 4096);
        loop {
            match self.reply() {
                Some((number, _)) => assert_ne!(number, asked),
                None => return true,
            }
        }
    }
}

/// The place of an OUT transfer's outcome until it comes.
const OUT: i32 = 1;
