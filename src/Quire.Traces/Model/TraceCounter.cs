namespace Quire.Traces;

/// <summary>How much a counter that is not 0 takes from what the trace can tell.</summary>
public enum TraceDoubt
{
    /// <summary>Nothing: worth knowing only.</summary>
    Note,

    /// <summary>Events are missing that happened.</summary>
    Loss,

    /// <summary>The file or its content contradicts itself.</summary>
    Damage,
}

/// <summary>One way to lose or doubt data, and how often it came up.</summary>
public sealed class TraceCounter
{
    /// <summary>Events that were overwritten by newer ones, or that the kernel says it lost.</summary>
    public const string Lost = "lost_events";

    /// <summary>Places where events were lost, and how many is not known.</summary>
    public const string LostUnknown = "losses_of_unknown_size";

    /// <summary>Events dropped because a ring that stops when full was full.</summary>
    public const string Dropped = "events_dropped_ring_full";

    /// <summary>Events of threads that had no ring.</summary>
    public const string NoRing = "lost_events_no_ring";

    /// <summary>Fields that lie outside their event's bytes.</summary>
    public const string FieldOutside = "fields_outside_event";

    /// <summary>Events whose kind has no format text.</summary>
    public const string UnknownEvent = "events_of_unknown_kind";

    /// <summary>Stacks that belong to no event.</summary>
    public const string StackAlone = "stacks_without_event";

    /// <summary>Numbers of texts or stacks that the dictionary lacks.</summary>
    public const string UnknownText = "texts_unknown";

    /// <summary>Events whose time lies before that of the one before on the same CPU.</summary>
    public const string TimeBackwards = "times_backwards";

    /// <summary>Parts of the file that are damaged, and left out.</summary>
    public const string Damaged = "parts_damaged";

    /// <summary>1: the file ends before it should.</summary>
    public const string Truncated = "file_truncated";

    /// <summary>1: the recording was not stopped in order: the process was killed, or still runs.</summary>
    public const string NotStopped = "recording_not_stopped";

    /// <summary>Snapshots that are incomplete.</summary>
    public const string SnapshotIncomplete = "snapshots_incomplete";

    internal TraceCounter(string name, TraceDoubt doubt, string meaning)
    {
        Name = name;
        Doubt = doubt;
        Meaning = meaning;
    }

    /// <summary>The counter's name, in the manner of a JSON key.</summary>
    public string Name { get; }

    /// <summary>What a value above 0 takes from the answers.</summary>
    public TraceDoubt Doubt { get; }

    /// <summary>What is counted, in a sentence.</summary>
    public string Meaning { get; }

    /// <summary>How often.</summary>
    public long Value { get; set; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name}={Value}: {Meaning}";
}
