# A whole guest in one boot sector, for tests: real mode, no operating system. It greets on the serial port, then obeys what is typed
# there and what the machine asks of it, looking 18 times a second:
#   r  reboots      p  powers off      f  floods the serial port      w  writes to its disk from the first MiB on
#   n  no longer lets go of devices (else a device that is to be unplugged is ejected at once)
# The power button powers it off. The ports are those of QEMU's "pc" board under SeaBIOS.
  .section .rodata
  .globl brume_test_guest
  .globl brume_test_guest_end
  .code16
brume_test_guest:
start:
  cli
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x7c00, %sp
  movb %dl, 0x7c00 + (drive - start)
  sti
  cld
  movw $(0x7c00 + greeting - start), %si
1:
  lodsb
  testb %al, %al
  jz 2f
  call say
  jmp 1b
2:
  movw $0x602, %dx          # power management: the power button counts
  movw $0x100, %ax
  outw %ax, %dx
look:
  hlt
  movw $0x600, %dx
  inw %dx, %ax
  testb $1, %ah
  jnz off
  cmpb $0, 0x7c00 + (stubborn - start)
  jne 3f
  movw $0xae10, %dx         # PCI hot-plug: bus 0
  xorl %eax, %eax
  outl %eax, %dx
  movw $0xae04, %dx         # which slots are to be let go
  inl %dx, %eax
  testl %eax, %eax
  jz 3f
  movw $0xae08, %dx
  outl %eax, %dx
  movb $'E', %al
  call say
3:
  movw $0x3fd, %dx
  inb %dx, %al
  testb $1, %al
  jz look
  movw $0x3f8, %dx
  inb %dx, %al
  cmpb $'r', %al
  je reboot
  cmpb $'p', %al
  je off
  cmpb $'w', %al
  je fill
  cmpb $'n', %al
  jne 4f
  incb 0x7c00 + (stubborn - start)
4:
  cmpb $'f', %al
  jne look
flood:
  call say
  jmp flood
reboot:
  movb $0xfe, %al
  outb %al, $0x64
  hlt
off:
  movw $0x604, %dx
  movw $0x2000, %ax
  outw %ax, %dx
  hlt
fill:
  movw $(0x7c00 + packet - start), %si
  movb $0x43, %ah
  xorb %al, %al
  movb 0x7c00 + (drive - start), %dl
  int $0x13
  jc 5f
  addl $64, 0x7c00 + (sector - start)
  jmp fill
5:
  movb $'W', %al
  call say
  jmp look
say:
  movw $0x3fd, %dx
  pushw %ax
6:
  inb %dx, %al
  testb $0x20, %al
  jz 6b
  popw %ax
  movw $0x3f8, %dx
  outb %al, %dx
  ret
greeting:
  .asciz "brume test guest\r\n"
drive:
  .byte 0
stubborn:
  .byte 0
packet:                     # 64 sectors out of the firmware: no zeros, which would need no room
  .byte 16, 0
  .word 64
  .word 0x8000, 0xf000
sector:
  .long 2048, 0
  .space 510 - (. - start)
  .word 0xaa55
brume_test_guest_end:
  .section .note.GNU-stack, "", @progbits
