namespace Quire.Samples.UdpRelay;

/// <summary>One datagram on its way through the relay: what arrived, and the memory that carries it.</summary>
/// <remarks>
/// <para>
/// Invariant: exactly one carrier, chosen by <see cref="Length"/>: nothing for an empty datagram (it is legal, and is
/// relayed), a <see cref="PageFragment"/> of exactly <see cref="Length"/> bytes up to
/// <see cref="Landing.LargestFragment"/>, the whole landing <see cref="Page"/> above it.
/// </para>
/// <para>
/// Whoever takes a datagram out of a queue frees it, on whatever thread that is; several at once through
/// <see cref="DatagramBatch"/>.
/// </para>
/// </remarks>
internal readonly struct Datagram
{
    private readonly PageFragment _fragment;
    private readonly Page _page;

    internal Datagram(PageFragment fragment)
    {
        _fragment = fragment;
        Length = fragment.Length;
    }

    internal Datagram(Page page, int length)
    {
        _page = page;
        Length = length;
    }

    /// <summary>Bytes of payload, 0 to 65,535.</summary>
    internal int Length { get; }

    internal ReadOnlySpan<byte> Span => Length switch
    {
        0 => default,
        <= Landing.LargestFragment => _fragment.Span,
        _ => _page.Span[..Length],
    };

    /// <summary>The carrier, where it is a fragment.</summary>
    internal bool TryGetFragment(out PageFragment fragment)
    {
        fragment = _fragment;
        return Length is > 0 and <= Landing.LargestFragment;
    }

    /// <summary>Gives the memory back. Any thread; once.</summary>
    internal void Free()
    {
        if (TryGetFragment(out PageFragment fragment))
        {
            fragment.Free();
        }
        else if (Length > 0)
        {
            _page.Put();
        }
    }
}
