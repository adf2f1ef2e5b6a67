namespace Quire.Traces.Analysis;

/// <summary>What was analysed.</summary>
/// <param name="Format">The trace's format.</param>
/// <param name="Kernel">The traced kernel's version; null for a recording of Quire.</param>
/// <param name="Events">Events read, snapshots' records included.</param>
/// <param name="FirstNs">Time of the first event, in ns of the trace's clock; null where there is none.</param>
/// <param name="LastNs">Time of the last event.</param>
/// <param name="Clock">The trace's clock.</param>
/// <param name="Sample">One reference in so many was recorded; 1: all of them.</param>
/// <param name="Filter">What the recording was restricted to; null for nothing.</param>
/// <param name="EndSnapshot">Whether a complete snapshot of the end confirms who held what.</param>
/// <param name="IsKernel">Whether it is a kernel's: holders are inferred.</param>
/// <param name="Properties">What the recorder said about itself.</param>
public sealed record SourceReport(
    string Format, string? Kernel, long Events, long? FirstNs, long? LastNs, string Clock, int Sample, string? Filter, bool EndSnapshot, bool IsKernel,
    IReadOnlyDictionary<string, string> Properties)
{
    internal static SourceReport Of(EventPass pass) => new(
        pass.Input.Source.Format,
        pass.Input.Source.IsKernel ? pass.Input.Source.Properties.GetValueOrDefault("uname") : null,
        pass.Events,
        pass.First,
        pass.Last,
        pass.Input.Source.Clock,
        pass.Sample,
        pass.Filter.Length == 0 ? null : pass.Filter,
        pass.HasEndSnapshot,
        pass.Input.Source.IsKernel,
        new SortedDictionary<string, string>(pass.Input.Source.Properties.ToDictionary(), StringComparer.Ordinal));
}
