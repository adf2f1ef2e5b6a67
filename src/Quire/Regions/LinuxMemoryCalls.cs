using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// Linux. The numbers are those of the generic ABI (x64, arm64, arm, riscv64, loongarch64, s390x).
/// </summary>
/// <remarks>
/// A decommit is <c>MADV_DONTNEED</c> alone and leaves the pages readable and writable. Taking the protection back as well would make each
/// hole a mapping of its own, and 65530 of those (<c>vm.max_map_count</c>) are soon reached with holes of 4 KiB; a hole
/// without it costs nothing. The price: a touch of decommitted memory brings a page of zeros instead of a fault, and under
/// <c>vm.overcommit_memory=2</c> the hole stays counted against the commit limit.
/// The system's setting for huge pages is read once, when the process first asks for memory.
/// </remarks>
internal sealed unsafe partial class LinuxMemoryCalls : PosixMemoryCalls
{
    private const int MAP_PRIVATE = 0x02;
    private const int MAP_ANONYMOUS = 0x20;
    private const int MAP_NORESERVE = 0x4000;

    private const int MADV_DONTNEED = 4;
    private const int MADV_HUGEPAGE = 14;
    private const int MADV_NOHUGEPAGE = 15;
    private const int MADV_COLD = 20;

    // A change of protection in the middle of a mapping makes two more of it, and the kernel's own special mappings are
    // listed but not counted: so near the limit, the limit it is.
    private const int MapCountMargin = 8;

    private const int O_CLOEXEC = 0x80000;

    private readonly long _maxMappings;

    internal LinuxMemoryCalls()
    {
        // Compiles the way through Explain now. At the limit of mappings the runtime can't map code that it compiles, and ends
        // the process: nothing on that way may run for the first time there.
        _maxMappings = ReadNumber("/proc/sys/vm/max_map_count\0"u8);
        _ = Explain(ENOMEM, RegionFailure.OutOfMemory);

        Span<byte> enabled = stackalloc byte[64];
        enabled = enabled[..ReadSetting("/sys/kernel/mm/transparent_hugepage/enabled\0"u8, enabled)];
        if (!enabled.IsEmpty && enabled.IndexOf("[never]"u8) < 0)
        {
            HugePageSize = (nuint)ReadNumber("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size\0"u8);
            HugePagesByDefault = enabled.IndexOf("[always]"u8) >= 0;
        }
    }

    internal override nuint HugePageSize { get; }

    internal override bool HugePagesByDefault { get; }

    internal override bool CanDiscard => true;

    private protected override int ReserveFlags => MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

    internal override RegionFailure Decommit(byte* address, nuint bytes) => Advise(address, bytes, MADV_DONTNEED);

    internal override RegionFailure Discard(byte* address, nuint bytes) => Advise(address, bytes, MADV_DONTNEED);

    internal override RegionFailure AdviseHugePages(byte* address, nuint bytes, bool on) =>
        Advise(address, bytes, on ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);

    /// <inheritdoc/>
    /// <remarks>For private memory, which is what pages are, <c>mincore</c> tells what is mapped or waits in the swap cache; measured at some 3 ns a page.</remarks>
    internal override long CountResident(byte* address, nuint bytes)
    {
        const int Most = 4096;
        byte* pages = stackalloc byte[Most];
        long resident = 0;
        for (nuint done = 0; done < bytes;)
        {
            nuint step = nuint.Min(bytes - done, Most * PageSize);
            if (InCore(address + done, step, pages) != 0)
            {
                return -1;
            }

            for (nuint i = 0; i < step / PageSize; i++)
            {
                resident += pages[i] & 1;
            }

            done += step;
        }

        return resident * (long)PageSize;
    }

    /// <inheritdoc/>
    /// <remarks>Only a whole page can go on the list of the cold: the kernel (from 5.4) splits a huge one to put a part there.</remarks>
    internal override void SplitHugePage(byte* page) => _ = MemoryAdvise(page, PageSize, MADV_COLD);

    /// <inheritdoc/>
    /// <remarks>ENOMEM has two meanings with two remedies, told apart by counting.</remarks>
    private protected override RegionFailure Explain(int error, RegionFailure noMemory) =>
        error != ENOMEM ? RegionFailure.Refused
        : IsAtLimit(CountMappings(), _maxMappings) ? RegionFailure.MappingsExhausted
        : noMemory;

    /// <summary>True if so many mappings are at the limit; a limit of 0 is one that is not known.</summary>
    internal static bool IsAtLimit(long mappings, long limit) => limit > 0 && mappings >= limit - MapCountMargin;

    /// <summary>Mappings of this process; 0 if it can't see them. Bare system calls, for the reason in the constructor.</summary>
    internal static long CountMappings()
    {
        int file = OpenForReading("/proc/self/maps\0"u8);
        if (file < 0)
        {
            return 0;
        }

        const int Size = 4096;
        byte* buffer = stackalloc byte[Size];
        long lines = 0;
        for (nint read = Read(file, buffer, Size); read > 0; read = Read(file, buffer, Size))
        {
            for (nint i = 0; i < read; i++)
            {
                lines += buffer[i] == (byte)'\n' ? 1 : 0;
            }
        }

        _ = Close(file);
        return lines;
    }

    /// <summary>The number that a file of the kernel begins with; 0 if there is none.</summary>
    private static long ReadNumber(ReadOnlySpan<byte> path)
    {
        Span<byte> text = stackalloc byte[64];
        text = text[..ReadSetting(path, text)];
        return Utf8Parser.TryParse(text, out long value, out _) ? value : 0;
    }

    private static int ReadSetting(ReadOnlySpan<byte> path, Span<byte> text)
    {
        int file = OpenForReading(path);
        if (file < 0)
        {
            return 0;
        }

        fixed (byte* buffer = text)
        {
            nint read = Read(file, buffer, (nuint)text.Length);
            _ = Close(file);
            return (int)nint.Max(read, 0);
        }
    }

    private static int OpenForReading(ReadOnlySpan<byte> path)
    {
        fixed (byte* name = path)
        {
            return Open(name, O_CLOEXEC);
        }
    }

    private RegionFailure Advise(byte* address, nuint bytes, int advice) =>
        MemoryAdvise(address, bytes, advice) == 0
            ? RegionFailure.None
            : Explain(Marshal.GetLastPInvokeError(), RegionFailure.OutOfMemory);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int MemoryAdvise(byte* address, nuint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "mincore")]
    private static partial int InCore(byte* address, nuint bytes, byte* pages);

    [LibraryImport("libc", EntryPoint = "open")]
    private static partial int Open(byte* path, int flags);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(int file, byte* buffer, nuint bytes);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
