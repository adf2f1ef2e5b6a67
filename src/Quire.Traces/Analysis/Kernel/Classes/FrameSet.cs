namespace Quire.Traces.Analysis;

/// <summary>Names of functions, some of them as <c>prefix*</c>. Immutable.</summary>
internal sealed class FrameSet
{
    private readonly HashSet<string> _names;
    private readonly string[] _prefixes;

    internal FrameSet(IEnumerable<string> patterns)
    {
        _names = new(StringComparer.Ordinal);
        List<string> prefixes = [];
        foreach (string pattern in patterns)
        {
            if (pattern.EndsWith('*'))
            {
                prefixes.Add(pattern[..^1]);
            }
            else
            {
                _names.Add(pattern);
            }
        }

        _prefixes = [.. prefixes];
    }

    internal bool IsEmpty => _names.Count == 0 && _prefixes.Length == 0;

    /// <summary>Whether it has a function.</summary>
    /// <param name="name">A name as <see cref="FrameName"/> has it.</param>
    internal bool Has(string name)
    {
        if (_names.Contains(name))
        {
            return true;
        }

        foreach (string prefix in _prefixes)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    internal bool HasAny(ReadOnlySpan<FrameName> frames)
    {
        foreach (FrameName frame in frames)
        {
            if (Has(frame.Function))
            {
                return true;
            }
        }

        return false;
    }
}
