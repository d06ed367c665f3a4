//! What of the CPU is a thread's own because it goes to ring 3.
//!
//! Key types: [`UserRegisters`]. The switch between threads saves and loads it for those that have it; threads of the
//! kernel leave on the CPU what the last program had. The general registers are not here: they are in the frame on the
//! thread's stack.

use mm::{Pfn, VirtAddr};
use x86_64::registers::model_specific::Msr;

use super::fpu::FpuImage;
use super::layout::USER_END;
use super::{gdt, paging, percpu};

const FS_BASE: u32 = 0xc000_0100;
/// The base that gs has in ring 3, while the kernel runs.
const KERNEL_GS_BASE: u32 = 0xc000_0102;

/// A thread's address space, segment bases, and floating-point registers.
pub struct UserRegisters {
    root: Pfn,
    stack_top: VirtAddr,
    fs_base: VirtAddr,
    gs_base: VirtAddr,
    fpu: FpuImage,
}

/// The address is none of the user half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotUser;

impl UserRegisters {
    /// What a program begins with, in the space of the level-4 table at `root`, on a thread whose stack in the kernel
    /// ends at `stack_top`.
    pub const fn new(root: Pfn, stack_top: VirtAddr) -> Self {
        Self { root, stack_top, fs_base: VirtAddr::new(0), gs_base: VirtAddr::new(0), fpu: FpuImage::new() }
    }

    /// Takes the floating-point registers from the CPU: another thread's may be loaded after this. The rest is known
    /// here already. Interrupts are off, and these registers are loaded.
    #[inline]
    pub fn save(&mut self) {
        self.fpu.save();
    }

    /// Puts all of it into the CPU. Interrupts are off.
    ///
    /// # Safety
    /// `root` is a table as [`load_root`](paging::load_root) asks for; the thread that they belong to runs next, or
    /// runs already, and nothing but it relies on the stack whose end was given.
    #[inline]
    pub unsafe fn load(&self) {
        if paging::loaded_root() != self.root {
            // SAFETY: the caller's promise.
            unsafe { paging::load_root(self.root) };
        }
        percpu::KERNEL_STACK.set(self.stack_top.as_usize());
        gdt::set_kernel_stack(self.stack_top);
        write_base(FS_BASE, self.fs_base);
        write_base(KERNEL_GS_BASE, self.gs_base);
        self.fpu.load();
    }

    /// The level-4 table.
    pub const fn root(&self) -> Pfn {
        self.root
    }

    /// Changes the level-4 table, which is to be loaded after that.
    pub const fn set_root(&mut self, root: Pfn) {
        self.root = root;
    }

    /// The base of fs.
    pub const fn fs_base(&self) -> VirtAddr {
        self.fs_base
    }

    /// Changes the base of fs, which is to be loaded after that.
    ///
    /// # Errors
    /// When it is not in the user half.
    pub const fn set_fs_base(&mut self, base: VirtAddr) -> Result<(), NotUser> {
        if base.as_usize() >= USER_END.as_usize() {
            return Err(NotUser);
        }
        self.fs_base = base;
        Ok(())
    }

    /// The base that gs has in ring 3.
    pub const fn gs_base(&self) -> VirtAddr {
        self.gs_base
    }

    /// Changes the base that gs has in ring 3; as [`set_fs_base`](Self::set_fs_base).
    ///
    /// # Errors
    /// When it is not in the user half.
    pub const fn set_gs_base(&mut self, base: VirtAddr) -> Result<(), NotUser> {
        if base.as_usize() >= USER_END.as_usize() {
            return Err(NotUser);
        }
        self.gs_base = base;
        Ok(())
    }

    /// The floating-point registers as they were last saved.
    pub const fn fpu(&self) -> &FpuImage {
        &self.fpu
    }

    /// Changes the floating-point registers, which are to be loaded after that.
    pub fn set_fpu(&mut self, fpu: &FpuImage) {
        self.fpu.clone_from(fpu);
    }
}

fn write_base(register: u32, base: VirtAddr) {
    // SAFETY: the base is one of the user half, so it is canonical; the kernel uses neither.
    unsafe { Msr::new(register).write(base.as_usize() as u64) };
}
