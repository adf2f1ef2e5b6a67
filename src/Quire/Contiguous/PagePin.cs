using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The right to the bytes of a <see cref="MovablePage"/>, and the promise that they do not move, until <see cref="Unpin"/> (<c>pin_user_pages</c>).
/// </summary>
/// <remarks>
/// A pin is recorded with file, line, member, thread and time, whether tracking is on or off, so that who keeps one too long is known by name. Copying the value
/// copies no pin: it ends once, on any thread. That it has ended is found by every later use, always, while the ledger has room for its record.
/// </remarks>
public readonly unsafe struct PagePin
{
    internal readonly ulong Identity;
    internal readonly uint Index;
    internal readonly uint Generation;
    internal readonly uint Ticket;
    internal readonly PinThread? Thread;

    internal PagePin(ulong identity, uint index, uint generation, uint ticket, PinThread thread)
    {
        Identity = identity;
        Index = index;
        Generation = generation;
        Ticket = ticket;
        Thread = thread;
    }

    /// <summary>True until the pin ends. Only who will end it can rely on the answer.</summary>
    public bool IsAlive => MovableTable.IsLive(this);

    /// <summary>Where the bytes are, until the pin ends.</summary>
    /// <exception cref="PageBugException">The pin has ended.</exception>
    public byte* Address => MovableTable.IsLive(this) ? PageMap.DescriptorOf(Identity)->Address : throw MovableBug.Ended(this, nameof(Address));

    /// <summary>The 4,096 bytes, until the pin ends; the span itself is not checked again.</summary>
    /// <exception cref="PageBugException">The pin has ended.</exception>
    public Span<byte> Span => MovableTable.IsLive(this)
        ? new Span<byte>(PageMap.DescriptorOf(Identity)->Address, PageMap.FrameSize)
        : throw MovableBug.Ended(this, nameof(Span));

    /// <summary>The page that has the data while it is pinned. It stands for the pin's reference: a put or free of it is refused, for the pin ends with <see cref="Unpin"/>; one taken from it with <see cref="Page.Get(string, int, string)"/> keeps the page from moving until it is put.</summary>
    public Page Page => Page.OfPin(Identity, Ticket);

    /// <summary>Ends the pin (<c>unpin_user_page</c>). Wakes who waits for it.</summary>
    /// <exception cref="PageBugException">It ended before; the message names both places. Nothing was changed.</exception>
    public void Unpin([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        MovableTable.Unpin(this, file, line, member);

    /// <summary>Hands the duty to end the pin to the calling thread and place, and says so in every report: blame follows the data.</summary>
    /// <returns>False where the pin has ended, or has no record because the ledger is full.</returns>
    public bool Transfer([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Ledger.Transfer(Ticket, Origin.Here(file, line, member));

    /// <summary>Ends the pin with a scope: <c>using PinLease lease = page.Pin().Lease();</c>.</summary>
    public PinLease Lease([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        new(this, new CallSite(file, line, member));
}

/// <summary>A pin that ends with a scope. A ref struct: it can't be boxed, stored in a field or carried across an <c>await</c>, where a copy would end it twice.</summary>
public ref struct PinLease
{
    private readonly CallSite _site;
    private readonly PagePin _pin;
    private bool _owns;

    internal PinLease(PagePin pin, CallSite site)
    {
        _pin = pin;
        _site = site;
        _owns = true;
    }

    /// <summary>The pin; not to be ended by hand.</summary>
    public readonly PagePin Pin => _pin;

    /// <summary>The bytes.</summary>
    /// <exception cref="PageBugException">The pin has ended.</exception>
    public readonly Span<byte> Span => _pin.Span;

    /// <summary>Takes the pin out of the scope: the caller ends it, and <see cref="Dispose"/> does nothing.</summary>
    public PagePin Detach()
    {
        _owns = false;
        return _pin;
    }

    /// <summary>Ends the pin, unless it was detached.</summary>
    /// <exception cref="PageBugException">The pin was ended by hand meanwhile.</exception>
    public void Dispose()
    {
        if (_owns)
        {
            _owns = false;
            _pin.Unpin(_site.File, _site.Line, _site.Member);
        }
    }
}
