namespace Quire;

/// <summary>Enters a monitor whatever <see cref="Thread.Interrupt"/> does: for steps that must not stop half-way, and for those that undo others.</summary>
internal static class Uninterrupted
{
    /// <summary>Entered until the result is disposed. An interrupt that came meanwhile is kept for the thread's next wait.</summary>
    internal static Scope Enter(object gate)
    {
        bool interrupted = false;
        while (true)
        {
            try
            {
                Monitor.Enter(gate);
                return new Scope(gate, interrupted);
            }
            catch (ThreadInterruptedException)
            {
                interrupted = true;
            }
        }
    }

    internal readonly ref struct Scope(object gate, bool interrupted)
    {
        private readonly object _gate = gate;
        private readonly bool _interrupted = interrupted;

        public void Dispose()
        {
            Monitor.Exit(_gate);
            if (_interrupted)
            {
                Thread.CurrentThread.Interrupt();
            }
        }
    }
}
