/** What every virtual machine boots, by path; `images/vm` builds it. */
export interface VmBoot {
  /** Absent when the operator's kernel is an ELF file. */
  bzImage?: string;
  vmlinux: string;
  initramfs: string;
}
