namespace Quire.Traces;

/// <summary>What was lost or doubtful in a text, counted while it is read.</summary>
internal sealed class TextCounters(TraceQuality quality)
{
    internal const string BadLinesName = "bad_lines";
    internal const string FirstBadLineName = "first_bad_line";
    internal const string PointersHiddenName = "pointers_hidden";
    internal const string PointersHashedName = "pointers_hashed";

    private readonly TraceCounter _lost = quality.Counter(TraceCounter.Lost, TraceDoubt.Loss, "Events lost, as the text says.");
    private readonly TraceCounter _lostUnknown = quality.Counter(TraceCounter.LostUnknown, TraceDoubt.Loss, "Places where events were lost, and the text does not say how many.");
    private readonly TraceCounter _badLines = quality.Counter(BadLinesName, TraceDoubt.Damage, "Lines of the trace that are cut or changed, so that time, CPU or fields can't be read; left out.");
    private readonly TraceCounter _firstBadLine = quality.Counter(FirstBadLineName, TraceDoubt.Note, "The number of the first such line; the file's first is 1.");
    private readonly TraceCounter _otherLines = quality.Counter("lines_not_of_the_trace", TraceDoubt.Note, "Lines around and between the trace's that are no part of it.");
    private readonly TraceCounter _stacksAlone = quality.Counter(TraceCounter.StackAlone, TraceDoubt.Note, "Stacks whose event is not there.");
    private readonly TraceCounter _backwards = quality.Counter(TraceCounter.TimeBackwards, TraceDoubt.Damage, "Events whose time lies before that of the event before.");
    private readonly TraceCounter _reordered = quality.Counter("events_reordered", TraceDoubt.Note, "Events of one CPU that stood a little behind later ones of another, and were put right.");
    private readonly TraceCounter _userStacks = quality.Counter("user_stacks_skipped", TraceDoubt.Note, "Stacks of user space, which are not read.");
    private readonly TraceCounter _stacksNotPrinted = quality.Counter("stacks_not_printed", TraceDoubt.Note, "Stacks that were recorded, and that the kernel could not print in the form it was asked for.");
    private readonly TraceCounter _notParsed = quality.Counter("events_printed_raw", TraceDoubt.Note, "Events that the tool could not print as the kernel does, and whose raw fields were read.");
    private readonly TraceCounter _hidden = quality.Counter(PointersHiddenName, TraceDoubt.Note, "Pointers that the kernel did not tell, because it had no randomness yet; read as 0.");
    private readonly TraceCounter _hashed = quality.Counter(PointersHashedName, TraceDoubt.Note, "1: pointers are hashed: good for telling them apart, and nothing else.");
    private readonly TraceCounter _textsCut = quality.Counter("texts_cut", TraceDoubt.Note, "Texts that were cut, because an event's texts have 64 KiB together.");
    private readonly TraceCounter _shapesOver = quality.Counter("events_of_too_many_forms", TraceDoubt.Damage, "Events that were kept as text only, because there are more forms of events than can be told apart.");

    internal long Lost { get; set; }

    internal long LostUnknown { get; set; }

    internal long BadLines { get; private set; }

    internal long FirstBadLine { get; private set; }

    internal long OtherLines { get; set; }

    internal long StacksAlone { get; set; }

    internal long Backwards { get; set; }

    internal long Reordered { get; set; }

    internal long UserStacks { get; set; }

    internal long StacksNotPrinted { get; set; }

    internal long NotParsed { get; set; }

    internal long PointersHidden { get; set; }

    internal long PointersHashed { get; set; }

    internal long TextsCut { get; set; }

    internal long ShapesOver { get; set; }

    internal void Bad(long line)
    {
        FirstBadLine = FirstBadLine == 0 ? line : Math.Min(line, FirstBadLine);
        BadLines++;
    }

    internal void Rewind()
    {
        Lost = LostUnknown = BadLines = FirstBadLine = OtherLines = StacksAlone = Backwards = Reordered = 0;
        UserStacks = StacksNotPrinted = NotParsed = PointersHidden = PointersHashed = TextsCut = ShapesOver = 0;
        Publish();
    }

    internal void Publish()
    {
        _lost.Value = Lost;
        _lostUnknown.Value = LostUnknown;
        _badLines.Value = BadLines;
        _firstBadLine.Value = FirstBadLine;
        _otherLines.Value = OtherLines;
        _stacksAlone.Value = StacksAlone;
        _backwards.Value = Backwards;
        _reordered.Value = Reordered;
        _userStacks.Value = UserStacks;
        _stacksNotPrinted.Value = StacksNotPrinted;
        _notParsed.Value = NotParsed;
        _hidden.Value = PointersHidden;
        _hashed.Value = PointersHashed;
        _textsCut.Value = TextsCut;
        _shapesOver.Value = ShapesOver;
    }
}
