namespace Quire;

/// <summary>
/// Fails a test that leaves references behind: <c>using PageLeakScope scope = new();</c>. Whatever the scope's code took and did not drop is named, as a table by call site.
/// </summary>
/// <remarks>
/// <para>
/// Keeps the ledger on while it lasts. A scope follows the asynchronous flow that made it, so tests that run in parallel see only their own leaks. A scope on an
/// allocator sees every reference to that allocator's pages instead, whoever took it: for code that works on threads of its own.
/// </para>
/// <para>
/// What fragment caches and magazines keep in reserve is no leak. A reference counts where it was taken, or where it was handed to by <see cref="Page.Transfer"/>.
/// Made and disposed by one flow; <see cref="Leaks"/> may be asked on any thread.
/// </para>
/// </remarks>
public sealed class PageLeakScope : IDisposable
{
    private readonly PageAllocator? _allocator;
    private readonly TimeSpan _grace;
    private readonly IDisposable _tracking;
    private readonly int _outer;
    private readonly int _scope;
    private readonly HashSet<uint> _before = [];
    private bool _disposed;

    /// <summary>Begins a scope of the calling flow.</summary>
    /// <param name="grace">How long <see cref="Dispose"/> waits for references that other threads are about to drop; none if default.</param>
    /// <exception cref="InvalidOperationException">A sampled or filtered recording runs, so most leaks would not be on record.</exception>
    /// <exception cref="NotSupportedException">Tracing is switched away: no leak could be found.</exception>
    public PageLeakScope(TimeSpan grace = default)
        : this(null, grace)
    {
    }

    /// <summary>Begins a scope on one allocator.</summary>
    /// <param name="allocator">Whose pages; null for the scope of the calling flow.</param>
    /// <param name="grace">How long <see cref="Dispose"/> waits for references that other threads are about to drop; none if default.</param>
    /// <exception cref="InvalidOperationException">A sampled or filtered recording runs, so most leaks would not be on record.</exception>
    /// <exception cref="NotSupportedException">Tracing is switched away: no leak could be found.</exception>
    public PageLeakScope(PageAllocator? allocator, TimeSpan grace = default)
    {
        _allocator = allocator;
        _grace = grace;
        _tracking = Holders.TrackWhole();
        _outer = Ledger.CurrentScope;
        if (allocator is null)
        {
            Ledger.CurrentScope = _scope = Ledger.NewScope();
        }
        else
        {
            _before = [.. allocator.HoldersOfMine().Select(static holder => holder.Ticket)];
        }
    }

    /// <summary>What is held at this moment that was taken in the scope, oldest first.</summary>
    public IReadOnlyList<Holder> Leaks() => _allocator is null
        ? [.. Holders.All().Where(holder => holder.Scope == _scope)]
        : [.. _allocator.HoldersOfMine().Where(holder => holder.Ticket != 0 && !_before.Contains(holder.Ticket))];

    /// <summary>Asserts in the midst of a test that nothing is held that was taken in the scope; the scope goes on.</summary>
    /// <exception cref="PageLeakException">References are held; the message names them.</exception>
    public void Check()
    {
        IReadOnlyList<Holder> leaks = Leaks();
        if (leaks.Count != 0)
        {
            throw PageLeakException.For(leaks);
        }
    }

    /// <summary>Ends the scope. At the end of a <c>using</c> it throws even while another exception passes, and hides that one: a test that may fail otherwise first should call <see cref="Check"/> as its last line and end the scope in a finally of its own.</summary>
    /// <exception cref="PageLeakException">References are held that were taken in the scope; the message names them.</exception>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        IReadOnlyList<Holder> leaks = Leaks();
        for (long end = Environment.TickCount64 + (long)_grace.TotalMilliseconds; leaks.Count != 0 && Environment.TickCount64 < end; leaks = Leaks())
        {
            Thread.Sleep(5);
        }

        if (_allocator is null)
        {
            Ledger.CurrentScope = _outer;
        }

        _tracking.Dispose();
        if (leaks.Count != 0)
        {
            throw PageLeakException.For(leaks);
        }
    }
}

/// <summary>A <see cref="PageLeakScope"/> ended with references held.</summary>
public sealed class PageLeakException : Exception
{
    /// <summary>Makes one without a message.</summary>
    public PageLeakException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public PageLeakException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public PageLeakException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Who holds what, oldest first.</summary>
    public IReadOnlyList<Holder> Leaks { get; private init; } = [];

    internal static PageLeakException For(IReadOnlyList<Holder> leaks) =>
        new($"{HolderTable.Count(leaks.Count, "reference")} {(leaks.Count == 1 ? "was" : "were")} taken in this scope and not dropped:{Environment.NewLine}{new HolderTable(leaks)}") { Leaks = leaks };
}
