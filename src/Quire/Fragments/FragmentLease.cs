namespace Quire;

/// <summary>
/// A fragment that is freed at the end of a scope. A ref struct: it can't be boxed, stored in a field or carried across an <c>await</c>,
/// where a copy would free twice.
/// </summary>
public ref struct FragmentLease
{
    private readonly CallSite _site;
    private PageFragment _fragment;
    private bool _owns;

    internal FragmentLease(PageFragment fragment, CallSite site)
    {
        _fragment = fragment;
        _site = site;
        _owns = true;
    }

    /// <summary>The fragment; not to be freed by hand.</summary>
    public readonly PageFragment Fragment => _fragment;

    /// <summary>The bytes.</summary>
    /// <exception cref="PageBugException">The fragment is stale.</exception>
    public readonly Span<byte> Span => _fragment.Span;

    /// <summary>Takes the fragment out of the scope: the caller frees it, and <see cref="Dispose"/> does nothing.</summary>
    public PageFragment Detach()
    {
        _owns = false;
        return _fragment;
    }

    /// <summary>Frees the fragment, unless it was detached or is freed already.</summary>
    /// <exception cref="PageBugException">The fragment was freed by hand meanwhile.</exception>
    public void Dispose()
    {
        if (_owns)
        {
            _owns = false;
            _fragment.Free(_site.File, _site.Line, _site.Member);
        }
    }
}
