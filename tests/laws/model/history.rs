//! One history: the engine and the model beside each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use keystile::authz::{AttachedDocument, ControlPolicies, Organization, PrincipalPolicies};
use keystile::aws::{Caller, Session, Surroundings};
use keystile::cedar::Documents;
use keystile::iam::DocumentKind;
use keystile::kms::{KeyUse, KmsError, Operation};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::difference;
use super::ask::Ask;
use super::names::Names;
use super::state::Model;
use super::step::Step;
use super::world::{ACCOUNTS, PEOPLE, Policies, Someone, controls, identity, limit};
use crate::engine::house::{Directory, House, START};

type Told = Result<Value, (String, String)>;

/// How often the gateway tries a request anew that met another.
const ATTEMPTS: usize = 8;

pub(super) struct History {
    pub(super) model: Model,
    pub(super) names: Names,
    /// None while the engine starts anew.
    house: Option<House>,
    documents: Documents,
    callers: Vec<Arc<Caller>>,
    policies: Vec<Arc<PrincipalPolicies>>,
    organization: Option<Arc<Organization>>,
    /// Whether something may be due that the scheduler has not done yet.
    is_late: bool,
    /// How often each operation was answered with each code, and none.
    pub(super) tally: BTreeMap<(&'static str, String), usize>,
}

impl History {
    pub(super) async fn new() -> Self {
        let mut history = Self {
            model: Model::new(START),
            names: Names::default(),
            house: Some(House::new().await),
            documents: Documents::default(),
            callers: PEOPLE.iter().map(caller).collect(),
            policies: Vec::new(),
            organization: None,
            is_late: false,
            tally: BTreeMap::new(),
        };
        history.policies = PEOPLE.iter().map(|someone| history.compiled(someone.policies)).collect();
        history
    }

    fn house(&self) -> &House {
        self.house.as_ref().expect("the engine runs")
    }

    fn compiled(&self, policies: Policies) -> Arc<PrincipalPolicies> {
        let compile = |kind, document: &Value| {
            AttachedDocument::from(self.documents.compile(kind, &document.to_string()).expect("a good policy"))
        };
        let own = identity(policies.identity).iter().map(|one| compile(DocumentKind::IdentityPolicy, one)).collect();
        let boundary = limit(policies.boundary).map(|one| compile(DocumentKind::PermissionsBoundary, &one));
        let session = limit(policies.session).map(|one| vec![compile(DocumentKind::SessionPolicy, &one)]);
        Arc::new(PrincipalPolicies::new(own, boundary, session))
    }

    /// The control policies of the accounts in an organisation.
    fn organized(&self, which: usize) -> Organization {
        let levels = |kind: DocumentKind, levels: Vec<Vec<Value>>| -> Vec<Vec<AttachedDocument>> {
            let compile = |document: &Value| {
                AttachedDocument::from(self.documents.compile(kind, &document.to_string()).expect("a good policy"))
            };
            levels.iter().map(|level| level.iter().map(compile).collect()).collect()
        };
        let of_account = |account: &&str| {
            let (service, resource) = controls(which, account)?;
            let service = levels(DocumentKind::ServiceControlPolicy, service);
            let resource = levels(DocumentKind::ResourceControlPolicy, resource);
            Some((account.parse().ok()?, ControlPolicies::new(service, resource, false)))
        };
        Organization::new(ACCOUNTS.iter().filter_map(of_account).collect())
    }

    /// Takes a step on both sides, and tells how they differ.
    pub(super) async fn take(&mut self, number: usize, step: &Step) -> Result<(), String> {
        match step {
            Step::Request { region, caller, operation, body } => {
                let body = self.names.expand(body, &mut self.model);
                let is_cut = self.request(number, region, *caller, operation, &body).await?;
                if is_cut {
                    self.names.learn_page(number, step);
                }
                Ok(())
            }
            Step::Sleep { seconds, scheduled } => {
                self.model.sleep(*seconds);
                self.house().pass(*seconds);
                self.is_late = true;
                if *scheduled {
                    self.schedule().await;
                }
                Ok(())
            }
            Step::Restart => {
                self.house().kms.save_uses().await.map_err(|error| error.to_string())?;
                let house = self.house.take().expect("the engine runs");
                self.house = Some(house.restarted().await);
                Ok(())
            }
            Step::Policies { who, policies } => {
                self.model.policies[*who] = *policies;
                self.policies[*who] = self.compiled(*policies);
                Ok(())
            }
            Step::Organization(which) => {
                self.model.organization = *which;
                self.organization = Some(Arc::new(self.organized(*which)));
                Ok(())
            }
            Step::Proxy(proxy) => {
                proxy.act(&self.house().proxy);
                self.model.proxy = proxy.clone();
                Ok(())
            }
        }
    }

    async fn schedule(&mut self) {
        self.house().kms.rotate_due().await.expect("what is due is done");
        self.is_late = false;
    }

    /// Whether it was answered alike, and with the first of several pages.
    async fn request(
        &mut self,
        number: usize,
        region: &'static str,
        caller: usize,
        operation: &'static str,
        body: &Value,
    ) -> Result<bool, String> {
        // What is due for a key is done before a request on that key; for what is about several
        // keys, the scheduler is in time.
        if self.is_late && self.is_about_many(operation, body) {
            self.schedule().await;
        }
        let told = self.call(number, region, caller, operation, body).await;
        let answer = match &told {
            Ok(answer) => answer.clone(),
            Err((_, text)) => json!({"message": text}),
        };
        let ask = Ask { step: number, region, caller, operation, body, told: &answer };
        let expected = self.model.answer(&ask);
        if let Some(difference) = difference(&expected, &told) {
            return Err(difference);
        }
        let code = told.as_ref().err().map_or("", |(code, _)| code);
        *self.tally.entry((operation, code.to_owned())).or_default() += 1;
        if told.is_ok() {
            self.names.learn(number, operation, &answer);
        }
        Ok(answer["NextMarker"].is_string())
    }

    /// Lists, requests on keys that share with others, and those that a key of a custom key store is in
    /// the way of.
    fn is_about_many(&self, operation: &str, body: &Value) -> bool {
        let lists = ["ListKeys", "ListAliases", "ListRetirableGrants"];
        let text = body.to_string();
        let names_shared = || {
            let model = &self.model;
            let shared = model.aliases.iter().filter(|alias| model.family(alias.target).multi_region);
            shared.map(|alias| &alias.name).any(|name| text.contains(name.as_str()))
        };
        // A ciphertext and a grant's token name a key as well.
        let names_by = |member: &str| {
            let text = body[member].as_str().unwrap_or_default();
            self.model.family_of(text).is_some_and(|family| self.model.families[family].multi_region)
        };
        lists.contains(&operation)
            || names_by("CiphertextBlob")
            || names_by("GrantToken")
            || operation == "DeleteCustomKeyStore"
            || text.contains("mrk-")
            || text.contains("XksKeyId")
            || names_shared()
    }

    /// What the gateway does with a request.
    async fn call(&self, number: usize, region: &str, who: usize, operation: &'static str, body: &Value) -> Told {
        let house = self.house();
        let surroundings = Surroundings { region: region.parse().unwrap(), ..(*house.surroundings()).clone() };
        let surroundings = Arc::new(surroundings);
        let failed = |error: KmsError| (error.code().to_owned(), error.message().unwrap_or_default().to_owned());
        for _ in 0..ATTEMPTS {
            let parsed = Operation::parse(operation, body.to_string().as_bytes()).map_err(failed)?;
            let resolved = house.kms.resolve(parsed, &self.callers[who], &surroundings).await.map_err(failed)?;
            let permit =
                house.authorizer.authorize(resolved, &self.policies[who], self.organization.as_ref()).map_err(
                    |denial| ("AccessDeniedException".to_owned(), denial.decision.message.clone().unwrap_or_default()),
                )?;
            match house.kms.execute(permit, &Directory).await {
                Ok(answer) => {
                    let ids = [2 * number as u128, 2 * number as u128 + 1].map(Uuid::from_u128);
                    let [request_id, event_id] = ids;
                    house.kms.note_use(&answer, KeyUse { operation, time: surroundings.now, request_id, event_id });
                    return Ok(answer.body.map_or(Value::Null, |body| body.to_value()));
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(("conflict".to_owned(), format!("{ATTEMPTS} times, though nobody else asks")))
    }
}

fn caller(someone: &Someone) -> Arc<Caller> {
    let principal = someone.principal;
    Arc::new(Caller {
        principal: principal.parse().unwrap(),
        account: someone.account.parse().unwrap(),
        principal_arn: someone.role.unwrap_or(principal).parse().unwrap(),
        user_id: format!("id of {principal}").into(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        tags: someone.tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        session: principal.contains(":sts:").then(Session::default),
    })
}
