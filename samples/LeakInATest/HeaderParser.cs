using System.Text;

namespace Quire.Samples.LeakInATest;

/// <summary>The code under test: takes a message apart, and keeps its fields past the call as fragments of their own.</summary>
/// <remarks>It has a bug that no compiler sees: a field that comes twice takes the place of the first in the dictionary, whose reference is forgotten.</remarks>
internal sealed class HeaderParser(PageFragmentCache cache)
{
    /// <summary>Splits lines of <c>name: value</c>; the caller frees what it gets.</summary>
    internal Dictionary<string, PageFragment> Parse(ReadOnlySpan<byte> message)
    {
        Dictionary<string, PageFragment> fields = [];
        foreach (Range range in message.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = message[range];
            int colon = line.IndexOf((byte)':');
            ReadOnlySpan<byte> value = line[(colon + 1)..].Trim((byte)' ');
            PageFragment kept = cache.Allocate(value.Length, out Span<byte> bytes);
            value.CopyTo(bytes);
            fields[Encoding.ASCII.GetString(line[..colon])] = kept;
        }

        return fields;
    }
}
