namespace Quire.Traces;

/// <summary>Numbers of options, and of the sections of version 7 that go with them.</summary>
internal enum DatOption : ushort
{
    /// <summary>The end of options; also the number of a section of options.</summary>
    Done = 0,
    Date = 1,
    CpuStat = 2,
    Buffer = 3,
    TraceClock = 4,
    Uname = 5,
    Hook = 6,
    Offset = 7,
    CpuCount = 8,
    Version = 9,
    ProcMaps = 10,
    TraceId = 11,
    TimeShift = 12,
    Guest = 13,
    Tsc2Nsec = 14,
    Strings = 15,
    HeaderInfo = 16,
    FtraceEvents = 17,
    EventFormats = 18,
    Kallsyms = 19,
    Printk = 20,
    Cmdlines = 21,
    BufferText = 22,
    Btf = 23,
    LastBoot = 24,
    Modules = 25,
}
