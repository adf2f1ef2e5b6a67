namespace Quire.Traces.Analysis;

/// <summary>Where references come from and go to: a call site and, where one was recorded, a stack. Numbered from 1; 0 is unknown.</summary>
internal sealed class OriginTable
{
    private readonly Dictionary<(string Site, int Stack), int> _numbers = [];
    private readonly List<(string Site, int Stack)> _origins = [("", 0)];
    private readonly StackTable _stacks = new();

    /// <summary>The origin of an event.</summary>
    internal int Of(in TraceRecord record, EventShape shape) => Of(shape.Text(record, EventField.Site), record.Stack);

    internal int Of(string site, ReadOnlySpan<ulong> stack)
    {
        (string, int) origin = (site, _stacks.NumberOf(stack));
        if (origin == ("", 0))
        {
            return 0;
        }

        if (!_numbers.TryGetValue(origin, out int number))
        {
            number = _origins.Count;
            _origins.Add(origin);
            _numbers.Add(origin, number);
        }

        return number;
    }

    /// <summary>The call site as recorded: <c>Parser.cs:141 KeepHeader</c>; empty where there is none.</summary>
    internal string SiteOf(int origin) => _origins[origin].Site;

    /// <summary>The frames of an origin's stack, innermost first; empty where none was recorded.</summary>
    internal string[] FramesOf(int origin, TraceInput names)
    {
        ReadOnlySpan<ulong> stack = _stacks.Of(_origins[origin].Stack);
        string[] frames = new string[stack.Length];
        for (int i = 0; i < frames.Length; i++)
        {
            frames[i] = names.SymbolOf(stack[i]);
        }

        return frames;
    }

    /// <summary>
    /// What a table calls an origin: of a stack the innermost frame, <c>HttpParser.KeepHeader Parser.cs:141</c>, since the call site of an adapter says
    /// nothing; else the call site.
    /// </summary>
    internal string LabelOf(int origin, TraceInput names)
    {
        (string site, int stack) = _origins[origin];
        if (stack == 0)
        {
            return site.Length == 0 ? "unknown site" : site;
        }

        return FrameLabel(names.SymbolOf(_stacks.Of(stack)[0]));
    }

    /// <summary><c>Namespace.Type.Method(File.cs:12)</c> as <c>Type.Method File.cs:12</c>; other texts as they are.</summary>
    internal static string FrameLabel(string frame)
    {
        int open = frame.IndexOf('(', StringComparison.Ordinal);
        string method = open < 0 ? frame : frame[..open];
        int last = method.LastIndexOf('.');
        if (last > 0 && method.AsSpan(last + 1).StartsWith("lambda"))
        {
            // A lambda is of its method.
            last = method.LastIndexOf('.', last - 1);
        }

        int type = last > 0 ? method.LastIndexOf('.', last - 1) : -1;
        string place = open >= 0 && frame.EndsWith(')') && frame.Contains(':', StringComparison.Ordinal) ? frame[(open + 1)..^1] : "";
        return $"{method[(type + 1)..]}{(place.Length > 0 ? " " : "")}{place}";
    }
}
