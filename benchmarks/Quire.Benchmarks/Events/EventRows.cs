using System.Globalization;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.Events;

/// <summary>What one recorded event costs, with the whole stack of who caused it and without.</summary>
internal static class EventRows
{
    public const string Event = "event";
    public const string EventWithStack = "event-stack-16";

    private const string Touch = "Quire, one event";
    private const string GetAndPut = "Quire, of get and put";

    /// <summary>Puts a row together; its recordings run until it is disposed of.</summary>
    public static Row Open(string id)
    {
        bool stacks = id == EventWithStack;
        string pipe = stacks ? "EventPipe, stacks" : "EventPipe, no stacks";
        Owned owned = new();
        TemporaryFolder folder = owned.Add(new TemporaryFolder());
        QuireContenders.HeldPage held = owned.Add(new QuireContenders.HeldPage());
        PageTracingSession recording = owned.Add(PageTracing.Start(
            new PageTracingOptions { Path = Path.Combine(folder.Path, "references.qring"), Stacks = stacks }));
        Reference reference = owned.Add(new Reference(held.Page));
        List<Contender> contenders =
        [
            new DeepContender<TouchEvent>(Touch, ContenderRole.Quire, new TouchEvent(reference.Handle), 1),
            new DeepContender<ReferenceEventsOfQuire>(GetAndPut, ContenderRole.Aside, new ReferenceEventsOfQuire(held.Page), ReferenceEventsOfQuire.EventsACall),
        ];
        List<Func<RoundsResult, string>> findings = [_ => $"Quire: {Recorded(recording, stacks ? reference : null)}"];
        List<string> notes =
        [
            $"written {DeepContender<TouchEvent>.Frames} managed frames above the thread's start; files on {folder.FileSystem}; Quire overwrites the oldest",
            $"'{GetAndPut}': a reference taken and dropped, that is {ReferenceEventsOfQuire.EventsACall} events"
                + $"{(stacks ? " and two walks of the stack" : "")} beside the work itself, divided by {ReferenceEventsOfQuire.EventsACall}",
        ];
        if (EventPipeRecording.TryStart(folder.Path, stacks, out string noPipe) is { } events)
        {
            owned.Add(events);
            contenders.Add(new DeepContender<SourceEvent>(pipe, ContenderRole.Peer, default, 1));
            findings.Add(_ => $"EventPipe: {events.Account()}");
        }
        else
        {
            notes.Add(noPipe);
        }

        if (LttngContender.TryStart(folder.Path, out string absent) is { } lttng)
        {
            contenders.Add(owned.Add(lttng));
            notes.Add($"{lttng.Name}: four numbers, by a C program beside this one, in flight-recorder mode");
        }
        else
        {
            notes.Add(absent);
        }

        return new Row(
            id,
            stacks
                ? "one recorded event with its full managed stack of 16 frames, against an EventSource and an EventPipe session with stacks"
                : "one recorded event with its call site, against an EventSource and an EventPipe session without stacks",
            stacks ? [new Bar(0.12, 0.12, pipe) { Under = 150, MoonshotUnder = 80 }] : [],
            notes,
            contenders,
            owned)
        {
            Findings = findings,
        };
    }

    /// <summary>That what was measured was recorded, and with the stack that it should have.</summary>
    private static string Recorded(PageTracingSession recording, Reference? withStack)
    {
        string stack = withStack is null ? "" : $"; the last one has a stack of {withStack.Frames} frames";
        return string.Create(CultureInfo.InvariantCulture, $"{recording.Written:N0} events recorded, {recording.Lost:N0} lost{stack}");
    }

    /// <summary>A reference that the recording knows, taken 16 frames deep as all others are.</summary>
    private sealed class Reference(Page page) : IDisposable
    {
        public Page Handle { get; } = page.Get();

        /// <summary>Of its last event, which a <see cref="TouchEvent"/> wrote; 0 where there are no stacks.</summary>
        public int Frames => Holders.Of(Handle).Entries.Select(static holder => holder.Touched?.Stack).FirstOrDefault(static stack => stack is not null)?.Frames.Count ?? 0;

        public void Dispose() => Handle.Put();
    }
}
