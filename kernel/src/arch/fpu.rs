//! The registers of x87 and SSE, which ring 3 has and the kernel never touches.
//!
//! Key types: [`FpuImage`]. The kernel is compiled without them, so they are a running program's all the while that it
//! is in the kernel; the switch to another program saves and loads them.

use core::arch::asm;

/// The 512 bytes that FXSAVE writes and FXRSTOR reads.
#[repr(C, align(16))]
#[derive(Clone)]
pub struct FpuImage([u8; Self::BYTES]);

/// Where the image has the control word of x87: 2 bytes.
const X87_CONTROL: usize = 0;
/// Where it has MXCSR: 4 bytes.
const MXCSR: usize = 24;
/// Where it has the bits of MXCSR that the CPU knows: 4 bytes, 0 on CPUs that do not say so.
const MXCSR_MASK: usize = 28;
/// What those CPUs know.
const OLD_MXCSR_MASK: u32 = 0xffbf;

impl FpuImage {
    /// Bytes of an image.
    pub const BYTES: usize = 512;

    /// What a program begins with: all exceptions masked, full precision, all registers 0.
    pub const fn new() -> Self {
        let mut bytes = [0; Self::BYTES];
        [bytes[X87_CONTROL], bytes[X87_CONTROL + 1]] = 0x037fu16.to_le_bytes();
        [bytes[MXCSR], bytes[MXCSR + 1], _, _] = 0x1f80u32.to_le_bytes();
        Self(bytes)
    }

    /// An image from where anybody may have written it, such as a signal's frame. Bits of MXCSR that this CPU does not
    /// know are cleared: loading them would be a fault.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut image = Self(*bytes);
        let known = match image_of_now().word(MXCSR_MASK) {
            0 => OLD_MXCSR_MASK,
            mask => mask,
        };
        let mxcsr = image.word(MXCSR) & known;
        image.0[MXCSR..MXCSR + 4].copy_from_slice(&mxcsr.to_le_bytes());
        image
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Writes the registers as they are now.
    #[inline]
    pub(super) fn save(&mut self) {
        // SAFETY: the image has the size and the alignment that the instruction asks for.
        unsafe { asm!("fxsave64 [{}]", in(reg) self.0.as_mut_ptr(), options(nostack, preserves_flags)) };
    }

    /// Makes the registers what they were.
    #[inline]
    pub(super) fn load(&self) {
        // SAFETY: the image came from `new`, `from_bytes` or `save`, so that no reserved bit is set; no code of the
        // kernel has anything in these registers.
        unsafe { asm!("fxrstor64 [{}]", in(reg) self.0.as_ptr(), options(nostack, preserves_flags, readonly)) };
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
}

impl Default for FpuImage {
    fn default() -> Self {
        Self::new()
    }
}

/// The image that the CPU writes now.
fn image_of_now() -> FpuImage {
    let mut image = FpuImage::new();
    image.save();
    image
}
