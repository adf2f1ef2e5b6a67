using System.Runtime.InteropServices;

namespace Quire;

/// <summary>A range of addresses reserved from the system.</summary>
/// <remarks>
/// The region works in frames, the system in pages, which may be larger. So a commit rounds outward: all memory of a page that has one
/// committed frame is there. A decommit rounds inward, since the page's other frames may be in use: what it can't give
/// back it clears, so that "reads as zero after the next commit" holds for every frame on every system.
/// </remarks>
internal sealed unsafe class MappedRegion : MemoryRegion
{
    private readonly NativeMemoryCalls _calls;
    private readonly byte* _address;
    private readonly HugePageAdvice? _advice;

    internal MappedRegion(NativeMemoryCalls calls, byte* address, nuint length)
        : base(RegionKind.Mapped, address, length)
    {
        _calls = calls;
        _address = address;
        _advice = calls.HugePageSize == 0 ? null : new HugePageAdvice(calls, address, length);
    }

    internal override bool CommitsOnTouch => _calls.CommitsOnTouch;

    /// <summary>Bytes that may be backed by huge pages, by advice (now or once) or by the system's default.</summary>
    internal nuint HugePageBytes => _advice?.Bytes ?? 0;

    internal override void Verify()
    {
        base.Verify();
        Require(((nuint)_address & (_calls.PageSize - 1)) == 0, "its address is not a multiple of the system's page");
        Require(HugePageBytes <= Length, "more of it may be huge than there is");
    }

    protected override RegionFailure CommitCore(nuint offset, nuint length)
    {
        byte* start = PageDown(_address + offset);
        return _calls.Commit(start, (nuint)(PageUp(_address + offset + length) - start));
    }

    protected override RegionFailure DecommitCore(nuint offset, nuint length, out nuint released)
    {
        released = 0;
        byte* start = _address + offset;
        byte* end = start + length;

        // Whole pages lie between these two; if there is none, the range is all edge.
        byte* firstPage = PageUp(start);
        byte* endPage = PageDown(end);
        if (firstPage >= endPage)
        {
            firstPage = endPage = end;
        }

        // 1. Whatever can fail and changes no content: make the edges writable (they need not be committed).
        RegionFailure failure = start < firstPage ? MakeWritable(start, firstPage) : RegionFailure.None;
        if (failure == RegionFailure.None && endPage < end)
        {
            failure = MakeWritable(endPage, end);
        }

        // 2. The system's part.
        if (failure == RegionFailure.None && firstPage < endPage)
        {
            _advice?.BeforeDecommit(firstPage, endPage);
            failure = _calls.Decommit(firstPage, (nuint)(endPage - firstPage));
        }

        if (failure != RegionFailure.None)
        {
            return failure;
        }

        // 3. What can't fail.
        NativeMemory.Clear(start, (nuint)(firstPage - start));
        NativeMemory.Clear(endPage, (nuint)(end - endPage));
        released = (nuint)(endPage - firstPage);
        return RegionFailure.None;
    }

    protected override bool AdviseHugePagesCore(nuint offset, nuint length, bool on)
    {
        byte* start = _address + offset;
        return _advice is not null && (on ? _advice.Give(start, start + length) : _advice.TakeBack(start, start + length));
    }

    protected override void ReleaseCore(byte* address) => _calls.Release(address, Length);

    private RegionFailure MakeWritable(byte* start, byte* end) => _calls.Commit(PageDown(start), (nuint)(PageUp(end) - PageDown(start)));

    private byte* PageUp(byte* address) => (byte*)NativeMemoryCalls.RoundUp((nuint)address, _calls.PageSize);

    private byte* PageDown(byte* address) => (byte*)NativeMemoryCalls.RoundDown((nuint)address, _calls.PageSize);
}
