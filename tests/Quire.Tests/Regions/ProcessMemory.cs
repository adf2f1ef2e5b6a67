using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Quire.Tests.Regions;

/// <summary>What the kernel says about memory of this process. Linux only.</summary>
/// <remarks>By range, not by process: other tests run at the same time.</remarks>
internal static unsafe partial class ProcessMemory
{
    /// <summary>Bytes of the range that are backed by memory, from the page tables.</summary>
    /// <remarks>A page that was only read counts too (it maps the shared page of zeros), so ask before reading.</remarks>
    internal static nuint Resident(byte* address, nuint length)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        ulong[] entries = new ulong[length / page];
        using FileStream map = new("/proc/self/pagemap", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        map.Position = (long)((nuint)address / page * sizeof(ulong));
        map.ReadExactly(MemoryMarshal.AsBytes(entries.AsSpan()));
        const ulong Present = 1UL << 63;
        const ulong Swapped = 1UL << 62;
        return (nuint)entries.Count(entry => (entry & (Present | Swapped)) != 0) * page;
    }

    /// <summary>Bytes of the range in huge pages, if the range is mappings of its own.</summary>
    internal static nuint Huge(byte* address) =>
        nuint.Parse(Words(Field(address, "AnonHugePages:"))[0], CultureInfo.InvariantCulture) * 1024;

    /// <summary>
    /// Whether the page is part of a huge page of the kernel, mapped as one or not. Null where the kernel doesn't tell (it tells root).
    /// </summary>
    internal static bool? IsPartOfHugePage(byte* address)
    {
        try
        {
            const ulong FrameNumber = (1UL << 55) - 1;
            const ulong Huge = 1UL << 22;
            ulong frame = Entry("/proc/self/pagemap", (nuint)address / (nuint)Environment.SystemPageSize) & FrameNumber;
            return frame == 0 ? null : (Entry("/proc/kpageflags", (nuint)frame) & Huge) != 0;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The flags of the mapping at an address: <c>hg</c> is advised huge, <c>nh</c> advised not.</summary>
    internal static string[] Flags(byte* address) => Words(Field(address, "VmFlags:"));

    /// <summary>The protection of the mapping at an address, as in <c>rw-p</c>; empty if there is none.</summary>
    internal static string Protection(byte* address) =>
        File.ReadLines("/proc/self/maps").Where(line => Holds(line, address)).Select(line => line.Split(' ')[1]).FirstOrDefault("");

    /// <summary>How many mappings touch a range.</summary>
    internal static int Mappings(byte* address, nuint length) =>
        File.ReadLines("/proc/self/maps").Count(line =>
            Range(line, out nuint start, out nuint end) && start < (nuint)address + length && end > (nuint)address);

    /// <summary>True if the byte can be read. The kernel tries, so that a fault is an answer and not the end of the process.</summary>
    internal static bool CanRead(byte* address)
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, options: FileOptions.DeleteOnClose);
        try
        {
            RandomAccess.Write(file, new ReadOnlySpan<byte>(address, 1), 0);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Does at once what khugepaged does in its own time. False if the kernel won't.</summary>
    internal static bool Collapse(byte* address, nuint length)
    {
        const int MADV_COLLAPSE = 25;
        return MemoryAdvise(address, length, MADV_COLLAPSE) == 0;
    }

    /// <summary>Makes a hole behind the region's back.</summary>
    internal static bool DontNeed(byte* address, nuint length) => MemoryAdvise(address, length, 4) == 0;

    /// <summary>Takes all access away.</summary>
    internal static bool Revoke(byte* address, nuint length) => Protect(address, length, 0) == 0;

    internal static bool Lock(byte* address, nuint length) => MemoryLock(address, length) == 0;

    internal static bool Unlock(byte* address, nuint length) => MemoryUnlock(address, length) == 0;

    private static string Field(byte* address, string name)
    {
        bool here = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            if (Range(line, out _, out _))
            {
                here = Holds(line, address);
            }
            else if (here && line.StartsWith(name, StringComparison.Ordinal))
            {
                return line[name.Length..];
            }
        }

        throw new InvalidOperationException($"No {name} for 0x{(nuint)address:x}.");
    }

    private static ulong Entry(string path, nuint index)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        file.Position = (long)(index * sizeof(ulong));
        ulong entry = 0;
        file.ReadExactly(MemoryMarshal.AsBytes(new Span<ulong>(ref entry)));
        return entry;
    }

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static bool Holds(string line, byte* address) =>
        Range(line, out nuint start, out nuint end) && start <= (nuint)address && (nuint)address < end;

    private static bool Range(string line, out nuint start, out nuint end)
    {
        end = 0;
        int dash = line.IndexOf('-', StringComparison.Ordinal);
        int space = line.IndexOf(' ', StringComparison.Ordinal);
        return TryHex(dash < 0 ? "" : line[..dash], out start) && TryHex(space < dash ? "" : line[(dash + 1)..space], out end);
    }

    private static bool TryHex(string text, out nuint value) =>
        nuint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(byte* address, nuint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(byte* address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "mlock")]
    private static partial int MemoryLock(byte* address, nuint bytes);

    [LibraryImport("libc", EntryPoint = "munlock")]
    private static partial int MemoryUnlock(byte* address, nuint bytes);
}
