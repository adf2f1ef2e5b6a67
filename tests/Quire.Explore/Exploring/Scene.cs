namespace Quire.Explore;

/// <summary>What one run is made of: threads that take turns, and what must hold when they have ended. Built anew for every run.</summary>
internal sealed class Scene
{
    internal List<(string Name, Action Body)> Threads { get; } = [];

    internal Action Check { get; private set; } = static () => { };

    internal Action Close { get; private set; } = static () => { };

    /// <summary>How far the explorer's clock went: above 0 somebody was woken by a deadline, not by a signal.</summary>
    internal long TimePassed { get; set; }

    /// <summary>Adds a thread.</summary>
    internal void Thread(string name, Action body) => Threads.Add((name, body));

    /// <summary>What must hold when all threads have ended.</summary>
    internal void AtEnd(Action check) => Check = check;

    /// <summary>Gives back what the scene took. Only after runs that were good: what a failed one left may be in any state.</summary>
    internal void Afterwards(Action close) => Close = close;
}
