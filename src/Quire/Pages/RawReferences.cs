namespace Quire;

/// <summary>The ledger's side of counting without a handle (<see cref="PageRef"/>): counted records chained from the page's descriptor.</summary>
internal static unsafe class RawReferences
{
    internal static void Taken(PageDescriptor* head, int references, string file, int line, string member)
    {
        if (Tracking.Active)
        {
            Ledger.TakeRaw(ref head->RawRecords, head->Identity, references, file, line, member);
        }
    }

    internal static void Dropped(PageDescriptor* head, int references, string file, int line, string member)
    {
        if (head->RawRecords != 0)
        {
            Ledger.ReleaseRaw(ref head->RawRecords, head->Identity, references, file, line, member);
        }
    }

    /// <summary>Ends all records of a page that is being freed; its identity is still the old one.</summary>
    internal static void Clear(PageDescriptor* head)
    {
        if (head->RawRecords != 0)
        {
            Ledger.ForgetRaw(ref head->RawRecords, head->Identity, "", 0, "");
        }
    }
}
