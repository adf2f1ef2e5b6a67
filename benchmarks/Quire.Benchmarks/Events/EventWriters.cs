namespace Quire.Benchmarks.Events;

/// <summary>One event of an <see cref="System.Diagnostics.Tracing.EventSource"/>.</summary>
internal readonly struct SourceEvent : IEventWriter
{
    public void Write(int number) => ReferenceEvents.Log.Taken(0x7F00_0000_1000, number, 1, 141);
}

/// <summary>One event of Quire's, by a public call that is one: a holder hands its reference on (<c>holder_touch</c>).</summary>
internal readonly struct TouchEvent(Page reference) : IEventWriter
{
    private readonly Page _reference = reference;

    public void Write(int number) => _reference.Touch();
}

/// <summary>A reference taken and dropped.</summary>
internal readonly struct ReferenceEventsOfQuire(Page page) : IEventWriter
{
    public const int EventsACall = 4;

    private readonly Page _page = page;

    public void Write(int number) => _page.Get().Put();
}
