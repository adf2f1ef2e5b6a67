using System.Diagnostics.Tracing;

namespace Quire.Benchmarks.Events;

/// <summary>What a program has today to record its references: an event for one taken and one for one dropped, of four numbers each.</summary>
/// <remarks>
/// In two ways: as most sources are written (<c>WriteEvent</c>, which boxes these four into an array), and as quickly as the class allows
/// (<c>WriteEventCore</c>, numbers by address).
/// </remarks>
[EventSource(Name = SourceName)]
internal sealed class ReferenceEvents : EventSource
{
    public const string SourceName = "Quire-Benchmarks-References";

    public static ReferenceEvents Log { get; } = new();

    [Event(1, Level = EventLevel.Informational)]
    public void Taken(long page, int ticket, int references, int site)
    {
        if (IsEnabled())
        {
            WriteByAddress(1, page, ticket, references, site);
        }
    }

    [Event(2, Level = EventLevel.Informational)]
    public void Dropped(long page, int ticket, int references, int site)
    {
        if (IsEnabled())
        {
            WriteByAddress(2, page, ticket, references, site);
        }
    }

    [Event(3, Level = EventLevel.Informational)]
    public void TakenPlainly(long page, int ticket, int references, int site)
    {
        if (IsEnabled())
        {
            WriteEvent(3, page, ticket, references, site);
        }
    }

    [Event(4, Level = EventLevel.Informational)]
    public void DroppedPlainly(long page, int ticket, int references, int site)
    {
        if (IsEnabled())
        {
            WriteEvent(4, page, ticket, references, site);
        }
    }

    [NonEvent]
    private unsafe void WriteByAddress(int id, long page, int ticket, int references, int site)
    {
        EventData* data = stackalloc EventData[4];
        data[0] = new EventData { DataPointer = (nint)(&page), Size = sizeof(long) };
        data[1] = new EventData { DataPointer = (nint)(&ticket), Size = sizeof(int) };
        data[2] = new EventData { DataPointer = (nint)(&references), Size = sizeof(int) };
        data[3] = new EventData { DataPointer = (nint)(&site), Size = sizeof(int) };
        WriteEventCore(id, 4, data);
    }
}

/// <summary>A listener in this process that does the least one can do with an event: it reads the four numbers, and keeps nothing of them but a sum.</summary>
internal sealed class ReadingListener : EventListener
{
    private long _seen;
    private long _sum;

    public ReadingListener() => EnableEvents(ReferenceEvents.Log, EventLevel.Informational);

    /// <summary>Events that arrived, on whatever thread.</summary>
    public long Seen => Volatile.Read(ref _seen);

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.Payload is [long page, int ticket, int references, int site])
        {
            _sum += page + ticket + references + site;
            _seen++;
        }
    }
}
