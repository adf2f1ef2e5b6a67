using System.Diagnostics;

namespace Quire;

/// <summary>
/// A range of addresses that Quire took from a <see cref="RegionProvider"/>: memory is put behind it (commit) and taken
/// away from it (decommit) piece by piece, while the addresses stay.
/// </summary>
/// <remarks>
/// <para>
/// A frame of a region is in one of two states. <i>Decommitted</i>, the state of all of it at first: its bytes hold
/// nothing, and touching it is an error that some platforms turn into a crash. <i>Committed</i>: readable and writable. The change
/// to committed
/// finds the frame all zero, the first time and every time after a decommit; a commit of what is committed changes nothing.
/// </para>
/// <para>
/// Invariants: the address is a multiple of the alignment asked for and never moves; the length is a multiple of <see cref="FrameSize"/>;
/// after <see cref="Dispose"/> the region hands out no address any more.
/// </para>
/// <para>
/// Thread safety: calls on ranges that don't overlap may run at the same time. Who lets ranges overlap puts the calls in order;
/// <see cref="Dispose"/> comes after all others. A region is not released by the garbage collector: pointers into it may
/// live where the collector doesn't look.
/// </para>
/// </remarks>
public abstract unsafe class MemoryRegion : IDisposable
{
    /// <summary>Bytes in a frame, the unit of every offset and length here (the kernel's <c>PAGE_SIZE</c> on x86).</summary>
    public const int FrameSize = 4096;

    private readonly byte* _base;
    private int _disposed;

    /// <summary>Describes memory that the deriving class has reserved.</summary>
    /// <param name="kind">What stands behind the memory.</param>
    /// <param name="address">The first byte.</param>
    /// <param name="length">Bytes.</param>
    protected MemoryRegion(RegionKind kind, byte* address, nuint length)
    {
        Kind = kind;
        _base = address;
        Length = length;
    }

    /// <summary>What stands behind the memory.</summary>
    public RegionKind Kind { get; }

    /// <summary>The address of the first byte.</summary>
    /// <exception cref="ObjectDisposedException">The region was disposed: there is no such address any more.</exception>
    public byte* Base
    {
        get
        {
            ThrowIfDisposed("Base");
            return _base;
        }
    }

    /// <summary>Bytes of address space, a multiple of <see cref="FrameSize"/>.</summary>
    public nuint Length { get; }

    /// <summary>
    /// The array that <see cref="Base"/> points into, for regions of <see cref="RegionKind.PinnedArray"/>; otherwise null.
    /// It begins before the region and ends behind it.
    /// </summary>
    public virtual byte[]? Array => null;

    /// <summary>The index in <see cref="Array"/> of the byte at <see cref="Base"/>; 0 where there is no array.</summary>
    public virtual int ArrayOffset => 0;

    /// <summary>True after <see cref="Dispose"/>.</summary>
    public bool IsDisposed => Atomic.LoadAcquire(ref _disposed) != 0;

    /// <summary>
    /// True where committing reserves nothing and memory only comes with the first touch, so that committing much at once is free.
    /// </summary>
    internal virtual bool CommitsOnTouch => false;

    /// <summary>
    /// Makes a range readable and writable. What was decommitted reads as zero; what was committed keeps its content.
    /// </summary>
    /// <param name="offset">First byte from the start of the region, a multiple of <see cref="FrameSize"/>.</param>
    /// <param name="length">Bytes, a multiple of <see cref="FrameSize"/>; 0 does nothing.</param>
    /// <param name="failure">Why not. Nothing that was committed before has changed then; part of the rest may be committed.</param>
    /// <returns>True if the whole range is committed now.</returns>
    /// <remarks>
    /// Large steps are better than small ones: on Linux each border between committed and reserved memory is a mapping
    /// of its own, and a process has 65530 of them.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The range is not whole frames of this region.</exception>
    /// <exception cref="ObjectDisposedException">The region was disposed.</exception>
    public bool TryCommit(nuint offset, nuint length, out RegionFailure failure)
    {
        Check("Commit", offset, length);
        failure = length == 0 ? RegionFailure.None : CommitCore(offset, length);
        return failure == RegionFailure.None;
    }

    /// <summary>
    /// Gives the memory behind a range back to the system: resident memory falls, and the range reads as zero after its next commit.
    /// </summary>
    /// <param name="offset">First byte from the start of the region, a multiple of <see cref="FrameSize"/>.</param>
    /// <param name="length">Bytes, a multiple of <see cref="FrameSize"/>; 0 does nothing.</param>
    /// <param name="released">
    /// Bytes that went back to the system, resident or not: whole system pages only, so it can be less than <paramref name="length"/>
    /// where the system's pages are larger than a frame (16 KiB on Apple silicon), and is 0 where the platform can't do it. The
    /// rest was cleared.
    /// </param>
    /// <param name="failure">Why not. The content of the range is as it was then.</param>
    /// <returns>True if the whole range is decommitted now. A range that was never committed counts as well.</returns>
    /// <remarks>
    /// Where huge pages are in use, whole ones are better: to give back part of one it has to be split first, some 200 microseconds.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The range is not whole frames of this region.</exception>
    /// <exception cref="ObjectDisposedException">The region was disposed.</exception>
    public bool TryDecommit(nuint offset, nuint length, out nuint released, out RegionFailure failure)
    {
        Check("Decommit", offset, length);
        released = 0;
        failure = length == 0 ? RegionFailure.None : DecommitCore(offset, length, out released);
        Debug.Assert(released <= length);
        return failure == RegionFailure.None;
    }

    /// <summary>
    /// Asks the system to back a range with huge pages, or no longer to (<c>MADV_HUGEPAGE</c>, <c>MADV_NOHUGEPAGE</c>).
    /// </summary>
    /// <param name="offset">First byte from the start of the region, a multiple of <see cref="FrameSize"/>.</param>
    /// <param name="length">Bytes, a multiple of <see cref="FrameSize"/>.</param>
    /// <param name="on">True to ask for huge pages, false to ask for none.</param>
    /// <returns>True if the system took the advice; false where there is no such advice or it covers no whole huge page.</returns>
    /// <remarks>
    /// Advice speaks of whole huge pages (2 MiB on x64): giving it passes over those that the range only covers in part, taking it
    /// back includes them. A decommit of part of a huge page splits it and takes its advice back by itself, since the kernel would
    /// otherwise keep the memory and <c>khugepaged</c> would fill the hole again; give it anew when the whole is in use again.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The range is not whole frames of this region.</exception>
    /// <exception cref="ObjectDisposedException">The region was disposed.</exception>
    public bool AdviseHugePages(nuint offset, nuint length, bool on)
    {
        Check("Huge page advice", offset, length);
        return length != 0 && AdviseHugePagesCore(offset, length, on);
    }

    /// <summary>Releases memory and addresses. Pointers into the region are worthless from here on. A second call does nothing.</summary>
    public void Dispose()
    {
        // Happens before: only the exchange that finds 0 releases, so two threads can't unmap what a third has mapped there since.
        if (Atomic.Exchange(ref _disposed, 1) == 0)
        {
            ReleaseCore(_base);
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>The kind, the addresses and the size, for messages.</summary>
    public override string ToString() =>
        $"{(Kind == RegionKind.Mapped ? "mapped" : "pinned array")} region [0x{(nuint)_base:x}, +0x{Length:x})";

    /// <summary>Throws unless the invariants of this type hold.</summary>
    internal virtual void Verify()
    {
        Require(((nuint)_base & (FrameSize - 1)) == 0, "its address is not a multiple of the frame size");
        Require(Length != 0 && Length % FrameSize == 0, "its length is not whole frames");
        Require((nuint)_base + Length > (nuint)_base, "it wraps around the end of the addresses");
    }

    /// <summary>Commits; the range is checked and not empty. See <see cref="TryCommit"/>.</summary>
    /// <param name="offset">First byte, frame-aligned.</param>
    /// <param name="length">Bytes, above 0.</param>
    /// <returns><see cref="RegionFailure.None"/> if all of it is committed.</returns>
    protected abstract RegionFailure CommitCore(nuint offset, nuint length);

    /// <summary>Decommits; the range is checked and not empty. See <see cref="TryDecommit"/>.</summary>
    /// <param name="offset">First byte, frame-aligned.</param>
    /// <param name="length">Bytes, above 0.</param>
    /// <param name="released">Bytes that the system took back.</param>
    /// <returns><see cref="RegionFailure.None"/> if all of it is decommitted.</returns>
    protected abstract RegionFailure DecommitCore(nuint offset, nuint length, out nuint released);

    /// <summary>Advises; the range is checked and not empty. See <see cref="AdviseHugePages"/>.</summary>
    /// <param name="offset">First byte, frame-aligned.</param>
    /// <param name="length">Bytes, above 0.</param>
    /// <param name="on">Huge pages wanted, or not.</param>
    /// <returns>True if the system took the advice. False unless overridden.</returns>
    protected virtual bool AdviseHugePagesCore(nuint offset, nuint length, bool on) => false;

    /// <summary>Gives everything back. Called once.</summary>
    /// <param name="address">The first byte; <see cref="Base"/> no longer answers.</param>
    protected abstract void ReleaseCore(byte* address);

    /// <summary>Throws an exception that names this region, unless <paramref name="holds"/>.</summary>
    private protected void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"The {this} is damaged: {otherwise}.");
        }
    }

    private void Check(string what, nuint offset, nuint length)
    {
        ThrowIfDisposed(what);

        // Written as a subtraction: offset + length could wrap.
        if (offset > Length || length > Length - offset)
        {
            throw new ArgumentOutOfRangeException(
                offset > Length ? nameof(offset) : nameof(length), $"{what} of [0x{offset:x}, +0x{length:x}) leaves the {this}.");
        }

        if (((offset | length) & (FrameSize - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(
                (offset & (FrameSize - 1)) != 0 ? nameof(offset) : nameof(length),
                $"{what} of [0x{offset:x}, +0x{length:x}) in the {this}: offset and length must be multiples of {FrameSize}.");
        }
    }

    /// <summary>Throws if the region was disposed, naming what was asked of it.</summary>
    private protected void ThrowIfDisposed(string what)
    {
        if (IsDisposed)
        {
            throw new ObjectDisposedException(GetType().Name, $"{what}: the {this} was disposed.");
        }
    }
}
