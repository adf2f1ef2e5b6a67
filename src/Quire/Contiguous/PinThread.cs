namespace Quire;

/// <summary>How many pins one thread has taken that did not end yet, wherever they end.</summary>
/// <remarks>
/// A thread that holds a pin must not wait long for another page to be migrated: the migration may be waiting for the pin that it holds.
/// Equation: pins of this thread == <c>_here - _elsewhere</c>.
/// </remarks>
internal sealed class PinThread
{
    [ThreadStatic]
    private static PinThread? t_current;

    private long _here;
    private long _elsewhere;

    internal static PinThread Current => t_current ??= new PinThread();

    internal bool HoldsAny => _here - Volatile.Read(ref _elsewhere) > 0;

    internal void Taken() => _here++;

    internal void Ended()
    {
        if (ReferenceEquals(t_current, this))
        {
            _here--;
        }
        else
        {
            // Happens before: publishes nothing; a counter of others' doings.
            Atomic.Add(ref _elsewhere, 1);
        }
    }
}
