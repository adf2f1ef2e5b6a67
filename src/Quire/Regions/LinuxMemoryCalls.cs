using System.Globalization;
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
/// </remarks>
internal sealed unsafe partial class LinuxMemoryCalls : PosixMemoryCalls
{
    private const int MAP_PRIVATE = 0x02;
    private const int MAP_ANONYMOUS = 0x20;
    private const int MAP_NORESERVE = 0x4000;

    private const int MADV_DONTNEED = 4;
    private const int MADV_HUGEPAGE = 14;
    private const int MADV_NOHUGEPAGE = 15;

    // A change of protection in the middle of a mapping makes two more of it, and the kernel's own special mappings are
    // listed but not counted: so near the limit, the limit it is.
    private const int MapCountMargin = 8;

    private const string HugePages = "/sys/kernel/mm/transparent_hugepage/";

    internal LinuxMemoryCalls()
    {
        string setting = ReadSetting(HugePages + "enabled");
        if (setting.Length != 0 && !setting.Contains("[never]", StringComparison.Ordinal)
            && nuint.TryParse(ReadSetting(HugePages + "hpage_pmd_size"), CultureInfo.InvariantCulture, out nuint size))
        {
            HugePageSize = size;
            HugePagesByDefault = setting.Contains("[always]", StringComparison.Ordinal);
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
    /// <remarks>ENOMEM has two meanings with two remedies, told apart by counting.</remarks>
    private protected override RegionFailure Explain(int error, RegionFailure noMemory) =>
        error != ENOMEM ? RegionFailure.Refused
        : IsAtLimit(CountMappings("/proc/self/maps"), ReadSetting("/proc/sys/vm/max_map_count")) ? RegionFailure.MappingsExhausted
        : noMemory;

    internal static bool IsAtLimit(long mappings, string limit) =>
        long.TryParse(limit, CultureInfo.InvariantCulture, out long most) && mappings >= most - MapCountMargin;

    internal static long CountMappings(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            Span<byte> buffer = stackalloc byte[4096];
            long lines = 0;
            for (int read = file.Read(buffer); read > 0; read = file.Read(buffer))
            {
                lines += buffer[..read].Count((byte)'\n');
            }

            return lines;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A process without /proc: not known to be at the limit.
            return 0;
        }
    }

    private static string ReadSetting(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private RegionFailure Advise(byte* address, nuint bytes, int advice) =>
        MemoryAdvise(address, bytes, advice) == 0
            ? RegionFailure.None
            : Explain(Marshal.GetLastPInvokeError(), RegionFailure.OutOfMemory);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int MemoryAdvise(byte* address, nuint bytes, int advice);
}
