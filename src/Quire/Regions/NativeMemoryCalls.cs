namespace Quire;

/// <summary>
/// The seam between regions and an operating system: one class a platform, chosen once. It knows addresses and
/// system pages, nothing of regions.
/// </summary>
/// <remarks>
/// Every address and length that comes in is a multiple of <see cref="PageSize"/>, except for <see cref="Reserve"/>,
/// which takes bytes and rounds up. All methods are safe on any thread.
/// </remarks>
internal abstract unsafe class NativeMemoryCalls
{
    /// <summary>The calls of the system that runs this process; null where there are none.</summary>
    internal static NativeMemoryCalls? Current { get; } = Choose();

    /// <summary>Bytes in a page of the system: 4096, or more (16 KiB on Apple silicon).</summary>
    internal abstract nuint PageSize { get; }

    /// <summary>Bytes in a huge page that advice can ask for; 0 where there is no advice.</summary>
    internal virtual nuint HugePageSize => 0;

    /// <summary>True where memory may get huge pages without advice.</summary>
    internal virtual bool HugePagesByDefault => false;

    /// <summary>True where a commit reserves nothing, and memory comes with the first touch.</summary>
    internal abstract bool CommitsOnTouch { get; }

    /// <summary>True where <see cref="Discard"/> exists.</summary>
    internal virtual bool CanDiscard => false;

    /// <summary>Reserves addresses, a multiple of <paramref name="alignment"/> (a power of two). Null and the reason if it can't.</summary>
    internal abstract byte* Reserve(nuint bytes, nuint alignment, out RegionFailure failure);

    /// <summary>Makes reserved pages readable and writable; those that are so already keep their content.</summary>
    internal abstract RegionFailure Commit(byte* address, nuint bytes);

    /// <summary>Takes the memory from reserved or committed pages. They read as zero after the next <see cref="Commit"/>.</summary>
    internal abstract RegionFailure Decommit(byte* address, nuint bytes);

    /// <summary>
    /// Takes the memory from pages that someone else mapped and that stay readable and writable; they read as zero at once.
    /// <see cref="RegionFailure.NotSupported"/> where the platform has no call that promises this.
    /// </summary>
    internal virtual RegionFailure Discard(byte* address, nuint bytes) => RegionFailure.NotSupported;

    /// <summary>Advises for or against huge pages.</summary>
    internal virtual RegionFailure AdviseHugePages(byte* address, nuint bytes, bool on) => RegionFailure.NotSupported;

    /// <summary>Bytes of whole pages in memory now, counted by walking the system's tables; -1 where there is no call that tells, or not all of it is mapped.</summary>
    internal virtual long CountResident(byte* address, nuint bytes) => -1;

    /// <summary>
    /// Breaks the huge page that may be behind this page into ordinary ones, without touching content. Best effort.
    /// </summary>
    internal virtual void SplitHugePage(byte* page)
    {
    }

    /// <summary>Releases what <see cref="Reserve"/> returned, all of it. <paramref name="bytes"/> are those asked for there.</summary>
    internal abstract void Release(byte* address, nuint bytes);

    /// <summary><paramref name="value"/> up to the next multiple of a power of two.</summary>
    internal static nuint RoundUp(nuint value, nuint unit) => (value + unit - 1) & ~(unit - 1);

    /// <summary><paramref name="value"/> down to the last multiple of a power of two.</summary>
    internal static nuint RoundDown(nuint value, nuint unit) => value & ~(unit - 1);

    private static NativeMemoryCalls? Choose() =>
        OperatingSystem.IsLinux() || OperatingSystem.IsAndroid() ? new LinuxMemoryCalls()
        : OperatingSystem.IsMacOS() ? new MacMemoryCalls()
        : OperatingSystem.IsWindows() ? new WindowsMemoryCalls()
        : null;
}
