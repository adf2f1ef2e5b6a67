using System.Runtime.CompilerServices;

namespace Quire.Traces.Analysis;

/// <summary>The shapes of a trace's kinds of events, made when the first event of each is read.</summary>
internal sealed class EventShapes
{
    private readonly Dictionary<TraceEventFormat, EventShape> _shapes = new(ReferenceComparer.Instance);
    private EventShape? _last;

    internal IReadOnlyCollection<EventShape> All => _shapes.Values;

    internal EventShape Of(TraceEventFormat format)
    {
        // Events of one kind come in runs.
        if (_last is { } last && ReferenceEquals(last.Format, format))
        {
            return last;
        }

        if (!_shapes.TryGetValue(format, out EventShape? shape))
        {
            shape = new EventShape(format);
            _shapes.Add(format, shape);
        }

        return _last = shape;
    }

    private sealed class ReferenceComparer : IEqualityComparer<TraceEventFormat>
    {
        internal static readonly ReferenceComparer Instance = new();

        public bool Equals(TraceEventFormat? x, TraceEventFormat? y) => ReferenceEquals(x, y);

        public int GetHashCode(TraceEventFormat format) => RuntimeHelpers.GetHashCode(format);
    }
}
