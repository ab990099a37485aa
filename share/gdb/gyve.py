"""gdb commands for guests of gyve: `source` this file, then `help gyve`.

They put gdb's expressions into gyve's monitor commands, so that `gyve pt &counter`, `gyve vtop $rsp + 8` and `gyve idt 14` work with
anything gdb can evaluate, and they explain registers bit by bit.
"""

import os
import re
import struct

import gdb

# What the named bits mean, for those who do not know them by heart.
MEANING = {
    "cr0": {
        "PE": "protected mode", "MP": "monitor coprocessor", "EM": "no x87", "TS": "task switched", "ET": "x87 is there",
        "NE": "x87 errors as exceptions", "WP": "ring 0 respects read-only pages", "AM": "alignment checks possible",
        "NW": "not write-through", "CD": "cache off", "PG": "paging",
    },
    "cr4": {
        "VME": "virtual 8086 extensions", "PVI": "virtual interrupts", "TSD": "RDTSC in ring 0 only", "DE": "debugging extensions",
        "PSE": "4 MiB pages", "PAE": "8-byte page table entries", "MCE": "machine checks", "PGE": "global pages",
        "PCE": "RDPMC in any ring", "OSFXSR": "FXSAVE and SSE", "OSXMMEXCPT": "SIMD exceptions", "UMIP": "no SGDT outside ring 0",
        "LA57": "5-level paging", "VMXE": "VMX", "FSGSBASE": "RDFSBASE and such", "PCIDE": "process-context identifiers",
        "OSXSAVE": "XSAVE", "SMEP": "ring 0 executes no user pages", "SMAP": "ring 0 reads no user pages", "PKE": "protection keys",
        "CET": "control-flow enforcement", "PKS": "supervisor protection keys",
    },
    "efer": {
        "SCE": "SYSCALL", "LME": "long mode enabled", "LMA": "long mode active", "NXE": "no-execute pages", "SVME": "SVM",
        "LMSLE": "long mode segment limits", "FFXSR": "fast FXSAVE", "TCE": "translation cache extension",
    },
    "eflags": {
        "CF": "carry", "PF": "parity", "AF": "adjust", "ZF": "zero", "SF": "sign", "TF": "single step", "IF": "interrupts on",
        "DF": "strings go down", "OF": "overflow", "IOPL": "I/O privilege level", "NT": "nested task", "RF": "resume",
        "VM": "virtual 8086", "AC": "alignment check or SMAP override", "ID": "CPUID is there",
    },
    "SCTLR_EL1": {
        "M": "MMU", "A": "alignment checks", "C": "data cache", "SA": "stack alignment checks", "I": "instruction cache",
        "WXN": "writable means not executable", "SPAN": "PAN stays at exceptions", "EE": "big endian at EL1",
    },
    "cpsr": {
        "N": "negative", "Z": "zero", "C": "carry", "V": "overflow", "D": "debug exceptions masked", "A": "SError masked",
        "I": "IRQ masked", "F": "FIQ masked", "EL": "exception level", "SP": "SP_ELx", "PAN": "no user data", "SS": "single step",
    },
}


def monitor(command):
    """The answer of gyve's monitor as text."""
    return gdb.execute("monitor " + command, to_string=True)


def address(text):
    """The value of an expression; of something that has no number, its address."""
    value = gdb.parse_and_eval(text)
    kind = value.type.strip_typedefs().code
    if kind in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY):
        value = value.address
    return int(value) & 0xFFFFFFFFFFFFFFFF


def split_flags(text):
    """"[ PE MP IOPL=3 ]": pairs of name and value."""
    inner = text.strip().lstrip("[").rstrip("]")
    return [tuple((word.split("=", 1) + ["1"])[:2]) for word in inner.split()]


class Gyve(gdb.Command):
    """What gyve knows about the guest: pt, vtop, idt, flags; any other word is a command of its monitor (gyve help)."""

    def __init__(self):
        super().__init__("gyve", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)

    def invoke(self, argument, from_tty):
        gdb.write(monitor(argument or "help"))


class OnAddress(gdb.Command):
    """A monitor command whose argument is an address, as gdb evaluates it."""

    def __init__(self, name, doc):
        self.name = name
        self.__doc__ = doc
        super().__init__("gyve " + name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        where = address(argument or "$pc")
        gdb.write(monitor("%s %#x" % (self.name, where)))


class Idt(gdb.Command):
    """gyve idt [VECTOR]: the interrupt table, or one entry of it. VECTOR may be an expression or a name like #PF."""

    def __init__(self):
        super().__init__("gyve idt", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        text = argument.strip()
        if re.fullmatch(r"#[A-Za-z]+", text):
            lines = [line for line in monitor("idt").splitlines() if text.upper() in line.split()]
            if not lines:
                raise gdb.GdbError("there is no vector %s in the table" % text)
            gdb.write("\n".join(lines) + "\n")
        else:
            gdb.write(monitor("idt %d" % int(gdb.parse_and_eval(text)) if text else "idt"))


class Flags(gdb.Command):
    """gyve flags [REGISTER]: a register of named bits in words; without one, those that say most."""

    def __init__(self):
        super().__init__("gyve flags", gdb.COMMAND_DATA)

    def complete(self, text, word):
        return [name for name in MEANING if name.startswith(word)]

    def show(self, name):
        value = gdb.selected_frame().read_register(name)
        gdb.write("%s = %#x\n" % (name, int(value.cast(gdb.lookup_type("unsigned long")))))
        for flag, number in split_flags(value.format_string()):
            meaning = MEANING.get(name, {}).get(flag, "")
            shown = flag if number == "1" else "%s=%s" % (flag, number)
            gdb.write(("  %-12s %s" % (shown, meaning)).rstrip() + "\n")

    def invoke(self, argument, from_tty):
        known = {register.name for register in gdb.selected_frame().architecture().registers()}
        names = argument.replace("$", "").split() or [name for name in MEANING if name in known]
        for name in names:
            if name not in known:
                raise gdb.GdbError("there is no register %s" % name)
            self.show(name)


def first_segment(path):
    """The address that the first loaded segment of an ELF file is linked for."""
    with open(path, "rb") as f:
        header = f.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            raise gdb.GdbError("%s is no ELF file of 64 bits" % path)
        table, size, count = struct.unpack_from("<Q", header, 32)[0], *struct.unpack_from("<HH", header, 54)
        f.seek(table)
        entries = f.read(size * count)
    for at in range(0, len(entries) - 55, size):
        kind, _, _, address = struct.unpack_from("<IIQQ", entries, at)
        if kind == 1:
            return address
    raise gdb.GdbError("%s has no segment" % path)


class Moved(gdb.Command):
    """A kernel's symbols by where its first byte is, which gyve's monitor knows."""

    def __init__(self, name, doc, question, pattern, command):
        self.question, self.pattern, self.command = question, pattern, command
        self.__doc__ = doc
        super().__init__("gyve " + name, gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        path = os.path.expanduser(argument.strip()) or gdb.current_progspace().filename
        if not path or not os.path.isfile(path):
            raise gdb.GdbError("name the kernel's vmlinux")
        told = re.search(self.pattern, monitor(self.question))
        if not told:
            raise gdb.GdbError("gyve does not know where the kernel is")
        offset = int(told.group(1), 16) - first_segment(path) & 0xFFFFFFFFFFFFFFFF
        gdb.execute("%s %s -o %#x" % (self.command, path, offset))


Gyve()
Moved("early", """gyve early [VMLINUX]: names for what a Linux kernel does before it has turned translation on.

Its symbols are loaded a second time, at physical addresses.""", "info", r"in memory at (0x[0-9a-f]+)", "add-symbol-file")
Moved("kaslr", """gyve kaslr [VMLINUX]: gdb's symbols of a Linux kernel that has moved itself while gdb was connected.

Whoever connects later has them moved from the start.""", "kernel", r"_text at (0x[0-9a-f]+)", "symbol-file")
OnAddress("pt", "gyve pt [EXPRESSION]: the page-table walk of an address (default: the pc), entry by entry.")
OnAddress("vtop", "gyve vtop [EXPRESSION]: the guest-physical address of an address.")
Idt()
Flags()
