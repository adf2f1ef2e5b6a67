namespace Quire.Traces.Analysis;

/// <summary>One life of a frame: its number, and the generation that tells this page from those before and after it on the same frame.</summary>
/// <param name="Pfn">Frame number of the head.</param>
/// <param name="Generation">The generation; it grows with each life of the frame.</param>
internal readonly record struct PageKey(ulong Pfn, ulong Generation);
