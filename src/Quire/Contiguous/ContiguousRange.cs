namespace Quire;

/// <summary>Memory in one piece, taken from a <see cref="ContiguousArea"/>: frames that follow each other in number and in address.</summary>
/// <remarks>
/// The handle has the generation of its first frame, so one that outlives <see cref="ContiguousArea.Release"/> is found on every use, always. Copying the
/// value copies no right: the range is released once. The frames are nobody's pages: <see cref="Page.TryFromFrame"/> does not find them.
/// </remarks>
public readonly unsafe struct ContiguousRange : IEquatable<ContiguousRange>
{
    private readonly ContiguousArea? _area;
    private readonly ulong _identity;
    private readonly uint _ticket;
    private readonly int _pages;

    internal ContiguousRange(ContiguousArea area, ulong identity, int pages, uint ticket)
    {
        _area = area;
        _identity = identity;
        _pages = pages;
        _ticket = ticket;
    }

    /// <summary>The area it was taken from; null for <c>default</c>.</summary>
    public ContiguousArea? Area => _area;

    /// <summary>Number of the first frame; 0 for <c>default</c>.</summary>
    public uint FirstFrame => PageIdentity.Frame(_identity);

    /// <summary>Pages of 4 KiB.</summary>
    public int Pages => _pages;

    /// <summary>Bytes.</summary>
    public long Length => (long)_pages << PageMap.FrameShift;

    /// <summary>True until it is released. Only the owner can rely on the answer.</summary>
    public bool IsAlive => _area is not null && PageMap.DescriptorOf(_identity) is var first && first->Identity == _identity && first->State == PageState.Contiguous;

    /// <summary>Where it begins.</summary>
    /// <exception cref="PageBugException">The range was released, or the handle is <c>default</c> or torn.</exception>
    public byte* Address
    {
        get
        {
            // 0 also while it is being released.
            PageDescriptor* first = PageMap.DescriptorOf(_identity);
            int pages = IsAlive ? first->WholeLength : 0;
            return pages == _pages && pages != 0 ? first->Address : throw (pages == 0 ? Stale(nameof(Address)) : Torn(nameof(Address), pages));
        }
    }

    /// <summary>All of its bytes.</summary>
    /// <exception cref="PageBugException">The range was released, or the handle is <c>default</c> or torn.</exception>
    /// <exception cref="OverflowException">It is larger than a span can be, 2 GiB: use <see cref="Address"/>.</exception>
    public Span<byte> Span => new(Address, checked((int)Length));

    /// <summary>True where both handles mean the same range.</summary>
    public bool Equals(ContiguousRange other) => _identity == other._identity && _pages == other._pages && ReferenceEquals(_area, other._area);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ContiguousRange other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_identity, _pages);

    /// <summary>The frames and the area's name, as messages show a range.</summary>
    public override string ToString() => _area is null ? "no range" : $"frames 0x{FirstFrame:x} to 0x{FirstFrame + (uint)_pages - 1:x} of area '{_area.Name}'";

    /// <summary>See <see cref="Equals(ContiguousRange)"/>.</summary>
    public static bool operator ==(ContiguousRange left, ContiguousRange right) => left.Equals(right);

    /// <summary>See <see cref="Equals(ContiguousRange)"/>.</summary>
    public static bool operator !=(ContiguousRange left, ContiguousRange right) => !left.Equals(right);

    internal ulong Identity => _identity;

    /// <summary>The handle was read while another thread wrote it: it has one range's beginning and another's length.</summary>
    internal PageBugException Torn(string operation, int pages) =>
        new($"{operation} of {this}: the range that begins there has {HolderTable.Count(pages, "page")}; the handle is torn.", FirstFrame, null);

    internal PageBugException Stale(string operation)
    {
        if (_area is null)
        {
            return new PageBugException($"{operation} of a contiguous range that was never allocated: the handle is default.");
        }

        LedgerConflict? conflict = Ledger.ReleaseOf(_ticket);
        string taken = conflict?.Taken is { } first ? $" Allocated: {first}." : "";
        string released = conflict?.Released is { } last ? $" Released: {last}." : "";
        return new PageBugException($"{operation} of {this}, which was released.{taken}{released}", FirstFrame, conflict?.Released?.Site);
    }
}
