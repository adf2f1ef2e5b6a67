namespace Quire.Traces;

/// <summary>
/// Every way in which this trace lost data or can be doubted, each a named counter. Complete when the input has been read to its end; not
/// thread-safe.
/// </summary>
public sealed class TraceQuality
{
    private readonly List<TraceCounter> _counters = [];

    /// <summary>All counters that exist, those at 0 too, in the order they were made.</summary>
    public IReadOnlyList<TraceCounter> Counters => _counters;

    /// <summary>A counter's value; 0 where there is no such counter.</summary>
    /// <param name="name">A counter's name.</param>
    public long this[string name] => Find(name)?.Value ?? 0;

    /// <summary>Whether nothing was lost and nothing contradicts itself, as far as it was read.</summary>
    public bool IsPerfect => _counters.TrueForAll(static counter => counter.Value == 0 || counter.Doubt == TraceDoubt.Note);

    /// <summary>The counter of that name, or null.</summary>
    /// <param name="name">A counter's name.</param>
    public TraceCounter? Find(string name) => _counters.Find(counter => counter.Name == name);

    /// <summary>The counter of that name, made where it is new; an analysis adds its own.</summary>
    /// <param name="name">The counter's name.</param>
    /// <param name="doubt">What a value above 0 means.</param>
    /// <param name="meaning">What is counted, in a sentence.</param>
    public TraceCounter Counter(string name, TraceDoubt doubt, string meaning)
    {
        TraceCounter? counter = Find(name);
        if (counter is null)
        {
            counter = new TraceCounter(name, doubt, meaning);
            _counters.Add(counter);
        }

        return counter;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", _counters.Where(static counter => counter.Value != 0).Select(static counter => $"{counter.Name}={counter.Value}"));
}
