namespace Quire.Traces.Analysis;

/// <summary>What a page is the memory of.</summary>
internal enum PageContent : byte
{
    /// <summary>Nobody's: no mapping.</summary>
    None,

    /// <summary>Anonymous memory.</summary>
    Anonymous,

    /// <summary>A file's, or a block device's: in the page cache.</summary>
    File,

    /// <summary>Of something that moves its pages itself (zsmalloc, balloon).</summary>
    Movable,

    /// <summary>Anonymous or a file's: the pointer is hashed, and the bit that tells is lost with it.</summary>
    Hidden,
}

/// <summary>A page's flags and content, as an event showed them.</summary>
/// <param name="Flags">The kernel's flags, or where <paramref name="IsNamed"/> the analysis's own.</param>
/// <param name="IsNamed">Whether the trace has flags by name.</param>
/// <param name="Content">What it is the memory of.</param>
internal readonly record struct PageLook(ulong Flags, bool IsNamed, PageContent Content);

/// <summary>
/// The different looks of pages, numbered: flags and content come in few combinations, and what the kernel's flag bits mean may show only at the trace's end.
/// </summary>
internal sealed class PageLooks
{
    private const ulong ContentBits = 3;

    private readonly Dictionary<PageLook, int> _numbers = [];
    private readonly List<(PageLook Look, long Count)> _looks = [];
    private readonly Dictionary<string, PageFlags> _named = new(ReferenceEqualityComparer.Instance);
    private readonly TraceInput _input;
    private readonly bool _mayBeHashed;
    private PageLook _last;
    private int _lastNumber = -1;
    private string? _printFormat;
    private PageFlags[]? _flags;
    private PageFlagLayout? _layout;

    internal PageLooks(TraceInput input)
    {
        _input = input;
        // Of a 64-bit kernel no pointer lies so low, so it is a hash; a trace.dat has them where it was made of text.
        _mayBeHashed = !input.Source.Format.StartsWith("trace.dat", StringComparison.Ordinal) || input.Layout.LongBytes == 8;
    }

    internal PageLook this[int number] => _looks[number].Look;

    /// <summary>The flags of a look. The first call decides which bit of a number is which flag, so it comes after the last event.</summary>
    internal PageFlags FlagsOf(int number)
    {
        if (_flags is null || _flags.Length < _looks.Count)
        {
            Decide();
        }

        return _flags![number];
    }

    /// <summary>The flags as the kernel names them; null where the numbers can't be told.</summary>
    internal string? Describe(int number)
    {
        PageFlags flags = FlagsOf(number);
        PageLook look = _looks[number].Look;
        return look.IsNamed ? flags.ToString().ToLowerInvariant().Replace(", ", "|", StringComparison.Ordinal)
            : _layout?.Describe(look.Flags);
    }

    /// <summary>Whether what a flag's number means could be told; true also where there are no numbers.</summary>
    internal bool AreFlagsKnown
    {
        get
        {
            if (_looks.Count > 0)
            {
                FlagsOf(0);
            }

            return _layout is not null || _looks.TrueForAll(static look => look.Look.IsNamed || look.Look.Flags == 0);
        }
    }

    internal int Of(in TraceRecord record, EventShape shape)
    {
        ulong mapping = shape.Unsigned(record, EventField.Mapping);
        PageContent content = mapping == 0 ? PageContent.None
            : _mayBeHashed && mapping <= uint.MaxValue ? PageContent.Hidden
            : (mapping & ContentBits) switch
            {
                0 => PageContent.File,
                2 => PageContent.Movable,
                _ => PageContent.Anonymous,
            };
        PageLook look = shape.HasFlagNames
            ? new PageLook((ulong)Named(shape.Text(record, EventField.Flags)), true, content)
            : new PageLook(shape.Unsigned(record, EventField.Flags), false, content);
        if (_lastNumber >= 0 && look == _last)
        {
            return Seen(_lastNumber);
        }

        if (!_numbers.TryGetValue(look, out int number))
        {
            number = _looks.Count;
            _looks.Add((look, 0));
            _numbers.Add(look, number);
        }

        _printFormat ??= shape.Format.Print;
        _last = look;
        return Seen(_lastNumber = number);
    }

    private int Seen(int number)
    {
        (PageLook look, long count) = _looks[number];
        _looks[number] = (look, count + 1);
        return number;
    }

    // The input gives a text that recurs as the same string.
    private PageFlags Named(string text)
    {
        if (!_named.TryGetValue(text, out PageFlags flags))
        {
            flags = PageFlagLayout.Parse(text);
            if (_named.Count < 1 << 16)
            {
                _named.Add(text, flags);
            }
        }

        return flags;
    }

    private void Decide()
    {
        _layout = PageFlagLayout.Guess(
            string.IsNullOrEmpty(_printFormat) ? null : _printFormat,
            _input.Source.Properties.GetValueOrDefault("uname"),
            _looks.Where(static look => !look.Look.IsNamed && look.Look.Content is PageContent.Anonymous or PageContent.File)
                .Select(static look => (look.Look.Flags, look.Look.Content == PageContent.Anonymous, look.Count)));
        _flags = new PageFlags[_looks.Count];
        for (int i = 0; i < _flags.Length; i++)
        {
            PageLook look = _looks[i].Look;
            _flags[i] = look.IsNamed ? (PageFlags)look.Flags : _layout?.Of(look.Flags) ?? PageFlags.None;
        }
    }
}
