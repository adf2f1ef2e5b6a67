namespace Quire.Benchmarks.Measuring;

/// <summary>What a contender's figure is used for.</summary>
internal enum ContenderRole
{
    /// <summary>Quire itself: the numerator of every ratio.</summary>
    Quire,

    /// <summary>Quire in another way or another state: shown in the text, judged by no bar.</summary>
    Aside,

    /// <summary>A peer: the denominator of one ratio, and a line of the JSON.</summary>
    Peer,

    /// <summary>The harness without an allocator (the ring alone): shown in the text, so that one sees what it adds.</summary>
    Floor,
}

/// <summary>
/// One way to do a row's work. A contender times itself, because a handoff must not count the waking of its other thread.
/// </summary>
/// <remarks>
/// Equation: a turn ends with as many blocks dropped as taken, so a contender carries nothing from one turn to the next but its
/// allocator's own caches, which is the steady state that is measured.
/// </remarks>
internal abstract class Contender(string name, ContenderRole role)
{
    /// <summary>The name in tables and in the JSON.</summary>
    public string Name { get; } = name;

    public ContenderRole Role { get; } = role;

    /// <summary>One of the last turn's threads lost its core to somebody else: that turn measured the machine.</summary>
    public bool WasDisturbed { get; private set; }

    /// <summary>Preemptions of the last turn on threads other than the caller's.</summary>
    protected virtual long PreemptionsElsewhere => 0;

    /// <summary>Takes and drops at least <paramref name="operations"/> blocks.</summary>
    /// <returns>Nanoseconds for one block taken and dropped.</returns>
    public double Run(int operations)
    {
        long before = Preemptions.OfThisThread();
        double nanoseconds = Turn(operations);
        WasDisturbed = Preemptions.OfThisThread() - before + PreemptionsElsewhere != 0;
        return nanoseconds;
    }

    /// <inheritdoc cref="Run"/>
    protected abstract double Turn(int operations);
}
